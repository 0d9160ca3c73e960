//! What the files come to mean: queries and how they are counted, groups, windows, policies, labels and alerts.

use std::collections::BTreeMap;
use std::sync::Arc;

use slo::check::load::{Loaded, load};
use slo::diag::codes;
use slo::engine::definition::Kind;
use slo::policy::compile;
use slo::spec::meant::{Absent, Alive, Bound, ForeignAlert, Mode, Numerator, Origin, Sli, Slo, Unit};
use slo::spec::policy::{AlertSeverity, TierKind};
use slo::spec::preset::presets;
use slo::units::Length;
use slo::yaml::SourceText;

use crate::{folder, loaded, read, shown};

const BAD: &str = r#"http_requests_total{job="shop",code=~"5.."}"#;
const ALL: &str = r#"http_requests_total{job="shop"}"#;

fn of(name: &str) -> Loaded {
    loaded(&read(&folder(name)))
}

/// The only SLO of a file.
fn slo(name: &str) -> Arc<Slo> {
    let loaded = of(name);
    let [only] = loaded.slos.as_slice() else { panic!("{name}: {}", shown(&loaded)) };
    Arc::clone(only)
}

/// An exact SLI: which side, and both selectors.
fn exact(slo: &Slo) -> (Numerator, String, String) {
    match &slo.sli {
        Sli::Exact { numerator, events, total } => (*numerator, events.to_string(), total.to_string()),
        other => panic!("{}: {other:?}", slo.id),
    }
}

/// A pushdown SLI: both texts with their units.
fn pushdown(slo: &Slo) -> (Numerator, [(String, Unit); 2]) {
    match &slo.sli {
        Sli::Pushdown { numerator, events, total, step } => {
            assert_eq!(*step, Length::from_minutes(1));
            (*numerator, [events, total].map(|query| (query.text.clone(), query.unit)))
        }
        other => panic!("{}: {other:?}", slo.id),
    }
}

fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn alerts(slo: &Slo) -> &[ForeignAlert] {
    &slo.alerting.foreign.as_ref().unwrap().alerts
}

/// Severity, factor, long and short window of the burn tiers.
fn burns(slo: &Slo) -> Vec<(AlertSeverity, String, String, String)> {
    let tiers = compile::tiers(&slo.alerting.policy, slo.objective, slo.window).unwrap();
    tiers
        .into_iter()
        .filter_map(|tier| match tier.kind {
            Kind::Burn { over, confirm, factor, .. } => {
                Some((tier.severity, format!("{factor:.2}"), over.to_string(), confirm.unwrap().to_string()))
            }
            _ => None,
        })
        .collect()
}

#[test]
fn a_sloth_slo_has_sloths_period_policy_and_alerts() {
    let slo = slo("sloth/events.yaml");
    assert_eq!(slo.id.to_string(), "shop/availability");
    assert_eq!((slo.objective.to_string(), slo.window), ("99.9%".to_owned(), Length::from_days(30)));
    assert_eq!(exact(&slo), (Numerator::Bad, BAD.to_owned(), ALL.to_owned()));
    assert_eq!((slo.by.as_slice(), slo.source.as_str(), &slo.owner), (&[][..], "prometheus", &None));
    let Alive::Selector(alive) = &slo.alive else { panic!("{:?}", slo.alive) };
    assert_eq!(alive.to_string(), r#"up{job="shop"}"#);
    assert_eq!(slo.alerting.policy, presets()["sloth"]);
    assert_eq!((slo.alerting.mode, slo.alerting.foreign.as_ref().unwrap().origin), (Mode::Live, Origin::Sloth));
    let told: Vec<_> = alerts(&slo).iter().map(|alert| (alert.severity, alert.silence, alert.name.as_str())).collect();
    assert_eq!(told, [(AlertSeverity::Page, false, "ShopErrors"), (AlertSeverity::Ticket, false, "ShopErrors")]);
    let ids = [("sloth_id", "shop-availability"), ("sloth_service", "shop"), ("sloth_slo", "availability")];
    for (alert, severity) in alerts(&slo).iter().zip(["page", "ticket"]) {
        let mut labels = map(&ids);
        labels.insert("sloth_severity".to_owned(), severity.to_owned());
        assert_eq!(alert.labels, labels);
        let title = alert.annotations["title"].clone();
        assert!(title.starts_with(&format!("({severity}) {{{{$labels.sloth_service}}}} ")), "{title}");
        assert_eq!(alert.annotations.keys().collect::<Vec<_>>(), ["summary", "title"]);
    }
}

#[test]
fn plain_queries_are_counted_exactly_however_they_are_written() {
    let plain = slo("sloth/events.yaml").sli.clone();
    for name in ["events-increase", "events-unsummed", "window-spellings", "resource", "version-quoted"] {
        assert_eq!(slo(&format!("sloth/{name}.yaml")).sli, plain, "{name}");
    }
    let grouped = slo("sloth/events-grouped.yaml");
    assert_eq!((&grouped.sli, grouped.by.as_slice()), (&plain, &["region".to_owned()][..]));
}

#[test]
fn other_queries_are_left_to_the_store_with_one_unit_for_both() {
    let total = format!("sum(rate({ALL}[$window]))");
    let (numerator, [events, all]) = pushdown(&slo("sloth/events-pushdown.yaml"));
    assert_eq!(numerator, Numerator::Bad);
    let retried = r#"sum(rate(http_retries_total{job="shop"}[$window]))"#;
    assert_eq!(events, (format!("sum(rate({BAD}[$window]))\n- {retried}"), Unit::Rate));
    assert_eq!(all, (total.clone(), Unit::Rate));
    let (_, [events, all]) = pushdown(&slo("sloth/events-mixed-functions.yaml"));
    assert_eq!(events, (format!("sum(increase({BAD}[$window]))"), Unit::Rate));
    assert_eq!(all, (total, Unit::Rate));
    let (_, [events, all]) = pushdown(&slo("sloth/events-unclear-unit.yaml"));
    assert_eq!((events.1, all.1), (Unit::Rate, Unit::Rate));
    let (_, [trimmed, _]) = pushdown(&slo("sloth/window-trim-markers-beside-plain.yaml"));
    assert_eq!(trimmed.0.matches("[$window]").count(), 2, "{}", trimmed.0);
}

#[test]
fn a_raw_query_is_a_ratio() {
    for (name, text) in [
        ("raw", format!("sum(rate({BAD}[$window]))\n/\nsum(rate({ALL}[$window]))")),
        ("resource-raw", "sum(rate(a_total[$window])) / sum(rate(b_total[$window]))".to_owned()),
    ] {
        assert_eq!(slo(&format!("sloth/{name}.yaml")).sli, Sli::Ratio { query: text }, "{name}");
    }
}

#[test]
fn a_resource_means_what_the_native_file_means() {
    let (native, resource) = (slo("sloth/events.yaml"), slo("sloth/resource.yaml"));
    assert_eq!(Slo { place: native.place.clone(), ..Slo::clone(&resource) }, *native);
    assert_eq!(slo("sloth/resource-in-list.yaml").id, resource.id);
}

#[test]
fn labels_are_what_the_file_says() {
    assert_eq!(slo("sloth/labels-coerced.yaml").labels, map(&[("tier", "2"), ("on_call", "true"), ("y", "no")]));
    assert_eq!(slo("sloth/labels-of-slo-win.yaml").labels, map(&[("team", "checkout"), ("region", "eu")]));
    let mine = slo("sloth/labels-of-sloth.yaml");
    assert_eq!(alerts(&mine)[0].labels["sloth_id"], "mine", "a label of the file wins, as on Sloth's series");
    assert_eq!(slo("sloth/labels-of-ours.yaml").owner.as_deref(), Some("web"));
}

#[test]
fn labels_and_annotations_of_alerts_are_merged_as_sloth_does() {
    let slo = slo("sloth/alerting-labels-and-annotations.yaml");
    let [page, ticket] = alerts(&slo) else { panic!("{:?}", alerts(&slo)) };
    let ids = [("sloth_id", "shop-availability"), ("sloth_service", "shop"), ("sloth_slo", "availability")];
    let common = [&ids[..], &[("team", "shop"), ("category", "availability")]].concat();
    assert_eq!(page.labels, map(&[&common[..], &[("severity", "critical"), ("sloth_severity", "urgent")]].concat()));
    assert_eq!(ticket.labels, map(&[&common[..], &[("severity", "3"), ("sloth_severity", "ticket")]].concat()));
    assert_eq!(page.annotations["summary"], "{{ $labels.sloth_service }} burns");
    assert_eq!(page.annotations["value"], "{{ $value }} of {{ $labels.sloth_slo }}");
    assert_eq!(ticket.annotations["title"], "Look at the shop");
    assert!(page.annotations["title"].starts_with("(page)"));
    assert_eq!(slo.alerting.annotations["runbook"], "https://wiki.example/shop");
    assert_eq!(slo.alerting.labels, map(&[("team", "shop"), ("severity", "none"), ("category", "availability")]));
}

#[test]
fn disabled_alerts_have_no_tiers() {
    let severities = |name: &str| -> (Vec<AlertSeverity>, Vec<AlertSeverity>, Mode) {
        let slo = slo(&format!("sloth/{name}.yaml"));
        let told = alerts(&slo).iter().map(|alert| alert.severity).collect();
        (burns(&slo).into_iter().map(|tier| tier.0).collect(), told, slo.alerting.mode)
    };
    let (page, ticket) = (AlertSeverity::Page, AlertSeverity::Ticket);
    assert_eq!(severities("events"), (vec![page, page, ticket, ticket], vec![page, ticket], Mode::Live));
    assert_eq!(severities("alerting-page-disabled"), (vec![ticket, ticket], vec![ticket], Mode::Live));
    assert_eq!(severities("alerting-ticket-disabled"), (vec![page, page], vec![page], Mode::Live));
    assert_eq!(severities("alerting-nameless-and-disabled"), (vec![], vec![], Mode::Off));
}

/// Sloth's recording rules know nothing of `disable`; the current burn rate is that of the quick page's short window.
#[test]
fn all_windows_are_recorded_whatever_is_disabled() {
    let recorded = |name: &str| -> Vec<String> {
        let slo = slo(&format!("sloth/{name}.yaml"));
        slo.alerting.foreign.as_ref().unwrap().recorded.iter().map(ToString::to_string).collect()
    };
    let preset = ["5m", "1h", "30m", "6h", "2h", "1d", "3d"];
    for name in ["events", "alerting-page-disabled", "alerting-ticket-disabled", "alerting-nameless-and-disabled"] {
        assert_eq!(recorded(name), preset, "{name}");
    }
    let windows = burns(&slo("sloth/windows.yaml"));
    let quick = windows.first().unwrap();
    assert_eq!(recorded("windows")[..2], [quick.3.clone(), quick.2.clone()]);
    assert!(windows.iter().all(|tier| recorded("windows").contains(&tier.2)));
}

/// `factor = percent/100 * period / longWindow`, for both windows of a pair.
#[test]
fn alert_windows_replace_the_tiers_of_every_slo() {
    let tiers = |name: &str| burns(&slo(&format!("sloth/{name}.yaml")));
    let tier = |severity, factor: &str, over: &str, confirm: &str| {
        (severity, factor.to_owned(), over.to_owned(), confirm.to_owned())
    };
    let (page, ticket) = (AlertSeverity::Page, AlertSeverity::Ticket);
    let expected = vec![
        tier(page, "21.60", "1h", "5m"),
        tier(page, "6.00", "6h", "30m"),
        tier(ticket, "3.00", "1d", "2h"),
        tier(ticket, "1.00", "3d", "6h"),
    ];
    assert_eq!(tiers("windows"), expected);
    let mut preset = expected;
    preset[0] = tier(page, "14.40", "1h", "5m");
    assert_eq!(tiers("events"), preset);
    assert_eq!(tiers("windows-of-another-period"), preset, "windows of another period change nothing");
    assert_eq!(tiers("windows-twice-alike"), preset);
    // 5% of 30 d over 30 m is a factor of 72, and both windows have to be above it.
    assert_eq!(tiers("windows-exchanged")[1], tier(page, "72.00", "6h", "30m"));
}

#[test]
fn the_period_of_sloth_is_configured() {
    let with = |period: &str| {
        let config = format!("version: config/v1\nsloth: {{period: {period}}}\n");
        let slos = read(&folder("sloth/events.yaml"));
        load(&[SourceText::named("slo.yaml", config), SourceText::named("shop.yaml", slos)])
    };
    for (period, first) in [("30d", "14.40"), ("4w", "13.44"), ("7d", "13.44")] {
        let loaded = with(period);
        assert!(!loaded.has_errors(), "{period}: {}", shown(&loaded));
        assert_eq!(burns(&loaded.slos[0])[0].1, first, "{period}");
        assert_eq!(loaded.slos[0].window, period.parse().unwrap());
    }
    let refused = |period: &str| with(period).findings.into_iter().map(|finding| finding.code).collect::<Vec<_>>();
    assert_eq!(refused("14d"), [codes::POLICY_MISFIT], "Sloth has no windows for this period");
    assert_eq!(refused("0s"), [codes::BAD_DURATION]);
    assert_eq!(refused("20y"), [codes::BAD_DURATION]);
}

#[test]
fn a_pyrra_slo_has_pyrras_policy_and_a_page_for_absence() {
    let slo = slo("pyrra/ratio.yaml");
    assert_eq!(slo.id.to_string(), "shop/shop-errors");
    assert_eq!((slo.objective.to_string(), slo.window), ("99.9%".to_owned(), Length::from_days(28)));
    assert_eq!(exact(&slo), (Numerator::Bad, BAD.to_owned(), ALL.to_owned()));
    let preset = &presets()["pyrra"];
    let (tiers, added) = slo.alerting.policy.tiers.split_at(preset.tiers.len());
    assert_eq!(tiers, preset.tiers);
    let after = Length::from_minutes(3);
    let kinds: Vec<_> = added.iter().map(|tier| (tier.severity, tier.kind)).collect();
    let page = AlertSeverity::Page;
    assert_eq!(kinds, [(page, TierKind::NoData { after }), (page, TierKind::Down { after })]);
    let told: Vec<_> = alerts(&slo)
        .iter()
        .map(|alert| (alert.severity, alert.silence, alert.name.as_str(), alert.labels["severity"].as_str()))
        .collect();
    let expected = [
        (page, false, "ErrorBudgetBurn", "critical"),
        (AlertSeverity::Ticket, false, "ErrorBudgetBurn", "warning"),
        (page, true, "SLOMetricAbsent", "critical"),
    ];
    assert_eq!(told, expected);
    // `code` is matched by an expression, so it is no label; `job` is.
    assert_eq!(alerts(&slo)[0].labels, map(&[("slo", "shop-errors"), ("job", "shop"), ("severity", "critical")]));
    assert_eq!((alerts(&slo)[0].annotations.len(), slo.labels.len()), (0, 0));
}

#[test]
fn pyrra_indicators_keep_their_meaning() {
    let latency = slo("pyrra/latency.yaml");
    let (numerator, events, total) = exact(&latency);
    assert_eq!((numerator, total.as_str()), (Numerator::Good, r#"http_request_duration_seconds_count{job="shop"}"#));
    assert!(events.starts_with(r#"http_request_duration_seconds_bucket{job="shop",code!~"5..",le=~""#), "{events}");
    let Sli::Exact { events, .. } = &latency.sli else { panic!("{:?}", latency.sli) };
    assert_eq!(events.bucket, Some(0.3));
    let (_, events, _) = exact(&slo("pyrra/latency-le-infinite.yaml"));
    assert_eq!(events, r#"http_request_duration_seconds_bucket{job="shop",code!~"5..",le="+Inf"}"#);

    let (numerator, [good, all]) = pushdown(&slo("pyrra/latency-native-grouped.yaml"));
    let rate = r#"sum by (region, zone) (rate(http_request_duration_seconds{job="shop"}[$window]))"#;
    assert_eq!((numerator, all), (Numerator::Good, (format!("histogram_count({rate})"), Unit::Rate)));
    assert!(good.0.contains(&format!("histogram_fraction(0, 0.3, {rate})")), "{}", good.0);

    let gauge = slo("pyrra/bool-gauge.yaml");
    let query = r#"probe_success{job="blackbox",instance="https://shop.example"}"#.to_owned();
    assert_eq!(gauge.sli, Sli::Gauge { query, bound: Bound::Equals(1.0), absent: Absent::Ignore });
    assert_eq!(alerts(&gauge)[0].labels["instance"], "https://shop.example");
    assert_eq!(exact(&slo("pyrra/indicator-ratio-and-gauge.yaml")), exact(&slo("pyrra/ratio.yaml")));
}

#[test]
fn grouping_becomes_by_and_takes_labels_off_the_alerts() {
    let by = |name: &str| slo(&format!("pyrra/{name}.yaml")).by.clone();
    assert_eq!(by("ratio-grouped"), ["region", "zone"]);
    assert_eq!(by("latency-grouped"), ["region"]);
    assert_eq!(by("latency-native-grouped"), ["region", "zone"]);
    assert_eq!(by("bool-gauge-grouped"), ["instance"]);
    let text = read(&folder("pyrra/ratio-grouped.yaml")).replace("[zone, region]", "[job]");
    assert!(!alerts(&loaded(&text).slos[0])[0].labels.contains_key("job"));
}

#[test]
fn pyrra_metadata_is_passed_on_without_its_prefix() {
    let slo = slo("pyrra/metadata-passed-on.yaml");
    assert_eq!((&slo.labels, slo.owner.as_deref()), (&map(&[("team", "web"), ("owner", "web")]), Some("web")));
    for alert in alerts(&slo) {
        assert_eq!((alert.labels["team"].as_str(), alert.labels.contains_key("prometheus")), ("web", false));
        let expected = [("runbook", "https://wiki.example/shop"), ("summary", "{{ $labels.slo }} burns")];
        assert_eq!(alert.annotations, map(&expected));
    }
    assert_eq!(self::slo("pyrra/namespace-missing.yaml").id.to_string(), "pyrra/shop-errors");
}

#[test]
fn pyrra_alerts_are_switched_off_one_by_one() {
    let told = |name: &str| {
        let slo = slo(&format!("pyrra/{name}.yaml"));
        let silences = alerts(&slo).iter().map(|alert| alert.silence).collect::<Vec<_>>();
        (burns(&slo).len(), slo.alerting.policy.tiers.len(), silences, slo.alerting.mode)
    };
    assert_eq!(told("alerting-empty"), (4, 6, vec![false, false, true], Mode::Live));
    assert_eq!(told("alerting-disabled"), (0, 2, vec![true], Mode::Live));
    assert_eq!(told("alerting-no-burnrates"), (0, 2, vec![true], Mode::Live));
    assert_eq!(told("alerting-no-absent"), (4, 4, vec![false, false], Mode::Live));
    assert_eq!(told("alerting-nothing"), (0, 0, vec![], Mode::Off));
    assert_eq!(told("latency-native"), (4, 4, vec![false, false], Mode::Live), "Pyrra has no alert for its absence");
    let names = slo("pyrra/alerting-names.yaml");
    let names: Vec<&str> = alerts(&names).iter().map(|alert| alert.name.as_str()).collect();
    assert_eq!(names, ["ShopBurns", "ShopBurns", "ShopGone"]);
    for (name, expected) in [
        ("alerting-severities", ["page", "ticket", "gone"]),
        ("alerting-severities-four", ["p1", "p3", "critical"]),
        ("alerting-severities-partly", ["p1", "warning", "critical"]),
    ] {
        let slo = slo(&format!("pyrra/{name}.yaml"));
        let severities: Vec<&str> = alerts(&slo).iter().map(|alert| alert.labels["severity"].as_str()).collect();
        assert_eq!(severities, expected, "{name}");
    }
}

#[test]
fn several_sources_need_one_that_is_called_prometheus() {
    let with = |names: [&str; 2]| {
        let sources = names.map(|name| format!("  {name}: {{type: prometheus}}\n")).concat();
        let config = SourceText::named("slo.yaml", format!("version: config/v1\nsources:\n{sources}"));
        let file = |name: &str| SourceText::named(name, read(&folder(name)));
        load(&[config, file("sloth/events.yaml"), file("pyrra/ratio.yaml")])
    };
    let sources: Vec<String> = with(["prometheus", "b"]).slos.iter().map(|slo| slo.source.clone()).collect();
    assert_eq!(sources, ["prometheus", "prometheus"]);
    let missing = with(["a", "b"]);
    let found: Vec<&str> = missing.findings.iter().map(|finding| finding.code).collect();
    assert_eq!((found, missing.slos.len()), (vec![codes::MISSING_KEY; 2], 0));
}
