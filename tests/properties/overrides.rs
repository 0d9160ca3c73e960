//! Objectives of groups: an SLO with an override is two SLOs, one for each objective (SEMANTICS 1, *SLO instance*).

use std::sync::Arc;

use slo::check::load::load;
use slo::engine::definition::{Definition, Kind};
use slo::engine::observation::{Observation, Roles, Sample, SeriesSamples};
use slo::engine::state::SloState;
use slo::engine::verdict::Verdict;
use slo::policy::book::AlertBook;
use slo::policy::compile::{Terms, definition};
use slo::policy::machine::Setting;
use slo::policy::subject::Subject;
use slo::spec::meant::Slo;
use slo::units::{Labels, Length, Step, Timestamp};
use slo::yaml::SourceText;

const SLICE: i64 = 30;

/// The SLO with `extra` lines.
fn slo(objective: &str, extra: &str) -> Arc<Slo> {
    let text = format!(
        "version: slo/v1
service: shop
slos:
  - name: availability
    objective: {objective}
    sli: {{events: {{bad: errors_total, total: requests_total}}}}
{extra}"
    );
    let loaded = load(&[SourceText::named("shop.yaml", text)]);
    assert_eq!(loaded.findings, []);
    Arc::clone(&loaded.slos[0])
}

fn compiled(slo: &Slo) -> Arc<Definition> {
    let terms = Terms { slice: Step::DEFAULT, gap: Length::from_minutes(5), instances_limit: 1_000 };
    Arc::new(definition(slo, terms).unwrap())
}

fn series(metric: &str, group: &Labels, roles: Roles, end: i64, rate: impl Fn(i64) -> f64) -> SeriesSamples {
    let mut labels = group.clone();
    labels.insert("__name__", metric);
    labels.insert("job", "shop");
    let fingerprint = labels.to_string().bytes().fold(7, |hash: u64, byte| hash.wrapping_mul(31) ^ u64::from(byte));
    let times = [end - SLICE, end].into_iter().filter(|at| *at >= 0);
    let samples = times.map(|at| Sample { at: Timestamp::from_seconds(at), value: rate(at) });
    SeriesSamples { labels: Arc::new(labels), fingerprint, roles, samples: samples.collect() }
}

/// 10 requests a second in each group; from the hour on two in a hundred fail.
fn answer(groups: &[Labels], end: i64) -> Observation {
    let failed = |at: i64| (at - 3_600).max(0) as f64 * 0.2;
    let mut all = Vec::new();
    for group in groups {
        let events = Roles { events: true, total: false, alive: false };
        let total = Roles { events: false, total: true, alive: false };
        all.push(series("errors_total", group, events, end, failed));
        all.push(series("requests_total", group, total, end, |at| at as f64 * 10.0));
    }
    let from = Timestamp::from_seconds(end - SLICE - 1);
    Observation { from, to: Timestamp::from_seconds(end), series: all, ..Observation::default() }
}

/// What one life of four hours leads to.
struct Life {
    state: SloState,
    book: AlertBook,
    /// Group, severity, state and slice end of what was told, and why.
    told: Vec<(Labels, String, i64, String)>,
}

fn live(slo: &Slo, groups: &[Labels], edit: Option<(i64, &Slo)>) -> Life {
    let mut subject = Subject::of(slo, &std::collections::BTreeMap::new());
    let mut state = SloState::new(compiled(slo));
    let mut book = AlertBook::new(slo.id.clone());
    let mut told = Vec::new();
    for end in (0..4 * 3_600).step_by(30) {
        if let Some((_, slo)) = edit.filter(|(at, _)| *at == end) {
            state.redefine(&compiled(slo));
            subject = Subject::of(slo, &std::collections::BTreeMap::new());
        }
        let setting = Setting { subject: &subject, page_can_be_told: true.into(), source_alert: None };
        let at = Timestamp::from_seconds(end);
        for effect in book.evaluate(&setting, &mut state, &answer(groups, end), at) {
            let Some(note) = effect.notification else { continue };
            let what = format!("{}/{} {:?}", note.severity.name(), note.kind.name(), note.state);
            told.push((note.group, what, end, note.reason));
        }
    }
    Life { state, book, told }
}

fn judged(life: &Life, group: &Labels) -> Verdict {
    let instance = life.state.instance(group).unwrap();
    let mut verdict = Verdict::default();
    life.state.judge(instance, life.book.firing(life.state.definition(), group), &mut verdict);
    verdict
}

/// Figures of an instance that do not name its group.
fn figures(life: &Life, group: &Labels) -> (Verdict, Vec<(String, i64, String)>) {
    let told = life.told.iter().filter(|(of, ..)| of == group);
    (judged(life, group), told.map(|(_, what, end, reason)| (what.clone(), *end, reason.clone())).collect())
}

fn region(name: &str) -> Labels {
    Labels::from([("region", name)])
}

#[test]
fn a_group_with_an_override_is_an_slo_of_its_own() {
    let (eu, us, none) = (region("eu"), region("us"), Labels::new());
    let both = slo("99.9%", "    by: [region]\n    overrides: [{match: {region: us}, objective: 99%}]\n");
    let grouped = live(&both, &[eu.clone(), us.clone()], None);
    let strict = live(&slo("99.9%", ""), std::slice::from_ref(&none), None);
    let loose = live(&slo("99%", ""), std::slice::from_ref(&none), None);
    assert_eq!(figures(&grouped, &eu), figures(&strict, &none));
    assert_eq!(figures(&grouped, &us), figures(&loose, &none));
    // 2% of errors burn 20 at 99.9% and 2 at 99%: only the strict one pages, and its budget is spent ten times faster.
    let page = |group: &Labels| grouped.told.iter().any(|(of, what, ..)| of == group && what.starts_with("page/burn"));
    assert!(page(&eu) && !page(&us), "{:?}", grouped.told);
    let spent = |group: &Labels| judged(&grouped, group).budget.spent;
    assert!((spent(&eu) / spent(&us) - 10.0).abs() < 1e-9, "{} {}", spent(&eu), spent(&us));
    let reason = |group: &Labels| grouped.told.iter().find(|(of, ..)| of == group).map(|(.., reason)| reason.clone());
    assert!(reason(&eu).unwrap().contains("objective 99.9%"), "{:?}", reason(&eu));
    let threshold = |group: &Labels| match grouped.state.instance(group).unwrap().definition().tiers[0].kind {
        Kind::Burn { threshold, .. } => threshold,
        ref other => panic!("{other:?}"),
    };
    assert_eq!((threshold(&eu), threshold(&us)), (0.0144, 0.144));
}

#[test]
fn an_edit_of_overrides_is_computed_from_the_slices_at_hand() {
    let (eu, us) = (region("eu"), region("us"));
    let groups = [eu.clone(), us.clone()];
    let plain = slo("99.9%", "    by: [region]\n");
    let with = slo("99.9%", "    by: [region]\n    overrides: [{match: {region: us}, objective: 99%}]\n");
    assert_eq!(plain.generation(), with.generation(), "what is stored is kept");
    let edited = live(&plain, &groups, Some((3 * 3_600, &with)));
    let always = live(&with, &groups, None);
    for group in &groups {
        assert_eq!(judged(&edited, group).budget, judged(&always, group).budget, "{group}");
    }
    // It paged before the edit, and what fired ends by the new objective.
    let ends = edited.told.iter().any(|(of, what, ..)| *of == us && what == "page/burn Resolved");
    assert!(ends, "{:?}", edited.told);
    assert!(!always.told.iter().any(|(of, what, ..)| *of == us && what.starts_with("page")));
}

#[test]
#[expect(clippy::float_cmp, reason = "the written digits")]
fn the_first_override_that_matches_holds() {
    let many = slo(
        "99.9%",
        "    by: [region, zone]
    overrides: [{match: {region: us, zone: a}, objective: 99%}, {match: {region: us}, objective: 95%}]\n",
    );
    let definition = compiled(&many);
    let budget = |region: &str, zone: &str| {
        let group = Labels::from([("region", region), ("zone", zone)]);
        assert_eq!(many.objective_of(&group).budget_ratio().to_bits(), definition.of_group(&group).budget.to_bits());
        definition.of_group(&group).budget
    };
    assert_eq!([budget("us", "a"), budget("us", "b"), budget("eu", "a")], [0.01, 0.05, 0.001]);
}
