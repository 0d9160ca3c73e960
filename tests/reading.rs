//! Reading files: what is in scope is accepted and means what it says, what is wrong is found at its line and column,
//! and nothing that bytes can do makes the reader panic or crawl.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail by panicking")]

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use proptest::prelude::*;

use slo::check::load::{Loaded, load};
use slo::config::meant::{Auth, Config, Escalation, Grouping, Outside, SecretRef, SinkConfig, SourceKind, WebhookUrl};
use slo::diag::{Severity, codes};
use slo::spec::meant::{Absent, Alive, Bound, Mode, Numerator, Sli, Slo, Unit};
use slo::spec::selector::{Matcher, Operation};
use slo::units::{Labels, Length, Objective};
use slo::yaml::{MAX_BYTES, SourceText};

/// Seconds in a debug build; far more than that is a reader that crawls.
const LONG: Duration = Duration::from_mins(2);

/// Code, line and column of findings.
type Places = Vec<(&'static str, u32, u32)>;

fn read(text: &str) -> Loaded {
    load(&[SourceText::named("a.yaml", text)])
}

/// Code, line and column of everything wrong.
fn found(text: &str) -> Places {
    let place = |finding: &slo::diag::Diagnostic| {
        let place = finding.place.clone().unwrap_or_else(|| panic!("no place: {finding:?}"));
        (finding.code, place.line, place.column)
    };
    read(text).findings.iter().map(place).collect()
}

fn clean(text: &str) -> Loaded {
    let loaded = read(text);
    assert_eq!(loaded.findings, [], "{text}");
    loaded
}

/// A `slo/v1` document with one SLO; its items begin on line 4.
fn slo_with(item: &str) -> String {
    format!("version: slo/v1\nservice: checkout\nslos:\n{item}")
}

const EVENTS: &str = "    objective: 99.9%\n    sli: {events: {bad: bad_total, total: all_total}}\n";

fn one(item: &str) -> Arc<Slo> {
    clean(&slo_with(item)).slos.remove(0)
}

fn config(text: &str) -> Config {
    clean(&format!("version: config/v1\n{text}")).config.unwrap()
}

/// The parts of the formats' SLO example that are built.
const NATIVE: &str = r##"version: slo/v1
service: checkout
owner: payments
labels: {tier: "1"}
links: {runbook: https://wiki.example/checkout, dashboard: https://grafana.example/d/checkout}
defaults: {source: prometheus, window: 30d, policy: balanced}
slos:
  - name: availability
    description: Checkout requests succeed.
    objective: 99.9%
    sli:
      events:
        bad: http_requests_total{job="checkout", code=~"5.."}
        total: http_requests_total{job="checkout"}
    by: [region]
    alive: up{job="checkout"}
  - name: latency
    objective: 99%
    window: 28d
    labels: {tier: "2", kind: speed}
    sli:
      latency: {histogram: 'http_request_duration_seconds{job="checkout"}', below: 300ms, good: 'code!~"5.."'}
  - name: quick
    sli: {latency: {histogram: http_request_duration_seconds, p95: 300ms}}
    alive: none
  - name: raw-promql
    objective: 99.9%
    sli:
      events:
        bad: sum(rate(errors_total[$window])) - sum(rate(retried_total[$window]))
        total: sum(rate(calls_total[{{.window}}]))
        step: 1m
    alerting: {policy: workbook, labels: {channel: "#pay"}, annotations: {summary: Payments fail.}, mode: shadow}
"##;

#[test]
fn the_native_example_means_what_it_says() {
    let loaded = clean(NATIVE);
    let slos: BTreeMap<&str, &Slo> = loaded.slos.iter().map(|slo| (slo.id.name.as_str(), slo.as_ref())).collect();
    let slo = slos["availability"];
    assert_eq!(slo.id.to_string(), "checkout/availability");
    assert_eq!(slo.owner.as_deref(), Some("payments"));
    assert_eq!((slo.window, slo.source.as_str()), (Length::from_days(30), "prometheus"));
    assert_eq!((slo.by.clone(), slo.alerting.policy.name.as_str()), (vec!["region".to_owned()], "balanced"));
    let Sli::Exact { numerator: Numerator::Bad, events, total } = &slo.sli else { panic!("{:?}", slo.sli) };
    assert_eq!(events.to_string(), r#"http_requests_total{job="checkout",code=~"5.."}"#);
    assert_eq!(total.to_string(), r#"http_requests_total{job="checkout"}"#);
    let Alive::Selector(up) = &slo.alive else { panic!("{:?}", slo.alive) };
    assert_eq!(up.to_string(), r#"up{job="checkout"}"#);

    let slo = slos["latency"];
    assert_eq!(slo.labels, BTreeMap::from([("kind".into(), "speed".into()), ("tier".into(), "2".into())]));
    assert_eq!((slo.window, slo.links.len()), (Length::from_days(28), 2));
    let Sli::Exact { numerator: Numerator::Good, events, total } = &slo.sli else { panic!("{:?}", slo.sli) };
    assert_eq!(events.metric, "http_request_duration_seconds_bucket");
    assert_eq!(events.bucket, Some(0.3));
    assert_eq!(total.to_string(), r#"http_request_duration_seconds_count{job="checkout"}"#);
    for (le, code, selected) in
        [("0.3", "200", true), ("3e-01", "200", true), ("0.5", "200", false), ("0.3", "503", false)]
    {
        let name = "http_request_duration_seconds_bucket";
        let labels = Labels::from([("__name__", name), ("job", "checkout"), ("le", le), ("code", code)]);
        assert_eq!(events.matches(&labels), selected, "{le} {code}");
    }

    assert_eq!(slos["quick"].objective, "95%".parse::<Objective>().unwrap());
    assert_eq!(slos["quick"].alive, Alive::None);

    let slo = slos["raw-promql"];
    let Sli::Pushdown { events, total, step, .. } = &slo.sli else { panic!("{:?}", slo.sli) };
    assert_eq!(total.text, "sum(rate(calls_total[$window]))");
    assert_eq!((events.unit, total.unit, *step), (Unit::Rate, Unit::Rate, Length::from_minutes(1)));
    assert_eq!((slo.alerting.policy.name.as_str(), slo.alerting.mode), ("workbook", Mode::Shadow));
    assert_eq!(slo.alerting.labels["channel"], "#pay");
    assert_eq!(slo.alive, Alive::None, "without job, namespace or instance nothing tells what is scraped");
}

/// The parts of the formats' policy example that are built.
#[test]
fn the_policy_example_means_what_balanced_does() {
    let loaded = clean(
        "version: policy/v1
policies:
  - name: house
    description: The workbook's four tiers, guarded against single failures.
    tiers:
      - {severity: page,   burn: {factor: 14.4, over: 1h, confirm: 5m},  min_bad: 3, hold: 50%, keep_firing_for: 5m}
      - {severity: page,   burn: {factor: 6,    over: 6h, confirm: 30m}, min_bad: 3, hold: 50%, keep_firing_for: 5m}
      - {severity: ticket, burn: {factor: 3,    over: 1d, confirm: 2h},  min_bad: 2}
      - {severity: ticket, burn: {factor: 1,    over: 3d, confirm: 6h},  min_bad: 2}
      - {severity: page,   down: {after: 3m}}
      - {severity: ticket, no_data: {after: 10m}}
  - name: more
    tiers:
      - {severity: page,   burn: {spend: 2%, over: 1h, confirm: 5m}, min_total: 10, for: 2m}
      - {severity: notice, burn: {factor: 2, over: 30m}}
  - name: every-kind
    tiers:
      - {severity: page,   burn: {spend: 2%, over: 1h, confirm: 5m}}   # factor or spend; confirm is optional
      - {severity: page,   exhausts: {within: 4h, lookback: 30m, min_burn: 6}}
      - {severity: ticket, budget_left: {below: 25%}}
      - {severity: notice, budget_drop: {drop: 25%, over: 7d}}
      - {severity: page,   sli_below: {target: 99.95%, over: 30m}, for: 2m, keep_firing_for: 10m}
      - {severity: ticket, no_traffic: {over: 30m, min_total: 1}, active: {cron: \"0 9 * * Mon-Fri\", for: 9h, zone: Europe/Berlin}}
      - {severity: page,   down: {after: 3m}}
      - {severity: ticket, no_data: {after: 10m}, max_false_pages: 0.1/30d}
  - name: by-the-period
    periods:
      - windows: [30d, 28d]
        tiers: [{severity: page, burn: {spend: 2%, over: 1h, confirm: 5m}}]
      - windows: [7d]
        tiers: [{severity: page, burn: {spend: 8%, over: 1h, confirm: 5m}}]
  - name: parts
    tiers: [{severity: page, burn: {factor: 14, over: W/672, confirm: W/8064}, for: W/20160}]
",
    );
    assert_eq!(loaded.policies["house"].tiers, loaded.policies["balanced"].tiers);
    assert_eq!(loaded.policies["every-kind"].tiers.len(), 8);
    assert_eq!(loaded.policies["by-the-period"].windows().count(), 3);
    assert_eq!(loaded.policies["parts"].tiers[0], loaded.policies["pyrra"].tiers[0]);
    assert_eq!(loaded.policies.len(), 12, "seven presets and five of the file");
    assert_eq!(loaded.policy_origins["more"].path, "/policies/1");
}

/// The parts of the formats' configuration example that are built.
const CONFIGURATION: &str = r##"version: config/v1
files: {slos: [slos/], rules: [rules/]}
slice: 30s
alerting: {mode: live}
owners: {payments: {page: [am], ticket: [hook], notice: [hook], contact: "#payments"}}
sources:
  prometheus: {type: prometheus, urls: [http://127.0.0.1:9090], delay: 15s, headers: {X-Scope-OrgID: shop},
               auth: {bearer: {file: secrets/prom}}, timeout: 10s, concurrency: 4, interval: 30s, gap: 5m, lateness: 5m,
               history: auto, alert: {after: 5m, severity: page}}
  app:        {type: scrape, targets: [http://127.0.0.1:8080/metrics], interval: 15s, labels: {job: app}}
  mimir:      {type: mimir, auth: {basic: {user: slo, password: {env: NAME}}}, interval: 2m}
sinks:
  am:      {type: alertmanager, urls: [http://127.0.0.1:9093/, http://127.0.0.1:9193], expires: 15m, severity: {page: critical, ticket: warning}}
  hook:    {type: webhook, url: https://hooks.example/slo, secret: {env: HOOK_SECRET}}
  vault:   {type: webhook, url: {file: /run/secrets/url}}
routes:
  - {match: {severity: page},   to: [am, owner], continue: true}
  - {match: {severity: page, slo: "checkout/*", labels: {team: web}}, to: [hook], repeat: 4h, escalate: {after: 15m, to: [vault]}}
  - match: {severity: ticket, service: checkout, owner: payments, labels: ["team=~web|shop", 'tier!="1"']}
    to: [hook]
    group_by: [service]
    group_wait: 1m
    escalate: [{after: 15m, to: [vault]}, {after: 1h, to: [am, owner]}]
    active: {cron: "0 9 * * Mon-Fri", for: 9h, zone: Europe/Berlin}
    outside: skip
  - {match: {}, to: [hook]}
storage: {path: data/slo.db, history: 400d}
server: {listen: 127.0.0.1:9777, external_url: https://slo.example/, external_labels: {cluster: eu1}, tls: null, compat: none}
limits: {instances_per_slo: 1000, instances: 100000, series_per_query: 50000, storm: 30}
fallback: [hook]
"##;

#[test]
fn the_configuration_example_means_what_it_says() {
    let loaded = load(&[SourceText::named("etc/slo.yaml", CONFIGURATION)]);
    assert_eq!(loaded.findings, []);
    let config = loaded.config.unwrap();
    assert_eq!(config.files.slos, [std::path::Path::new("etc/slos/")]);
    assert_eq!(config.storage.path, std::path::Path::new("etc/data/slo.db"));
    let source = &config.sources["prometheus"];
    assert_eq!(source.auth, Some(Auth::Bearer(SecretRef::File("etc/secrets/prom".into()))));
    assert_eq!(source.headers["X-Scope-OrgID"], "shop");
    let source = &config.sources["mimir"];
    assert_eq!(
        (source.delay, source.gap, source.lateness),
        (Length::from_seconds(60), Length::from_minutes(8), Length::from_minutes(8))
    );
    assert!(
        matches!(&source.auth, Some(Auth::Basic { user, password: SecretRef::Env(name) }) if user == "slo" && name == "NAME")
    );
    let source = &config.sources["app"];
    assert_eq!((source.delay, source.interval), (Length::from_seconds(1), Length::from_seconds(15)));
    assert!(matches!(&source.kind, SourceKind::Scrape { labels, .. } if labels["job"] == "app"));
    let SinkConfig::Alertmanager { urls, severity, .. } = &config.sinks["am"] else { panic!() };
    assert_eq!(urls[0], "http://127.0.0.1:9093");
    assert_eq!(severity.values().collect::<Vec<_>>(), ["critical", "warning", "notice"]);
    assert!(matches!(&config.sinks["vault"], SinkConfig::Webhook { url: WebhookUrl::Secret(SecretRef::File(_)), .. }));
    assert_eq!(
        (config.routes.len(), config.fallback.as_slice(), config.limits.storm),
        (4, &["hook".to_owned()][..], 30)
    );
    assert!(config.routes[0].continue_ && config.routes[2].service.as_deref() == Some("checkout"));
    let repeated = &config.routes[1];
    assert_eq!((repeated.slo.as_deref(), repeated.repeat), (Some("checkout/*"), Some(Length::from_hours(4))));
    assert_eq!(repeated.escalate, [Escalation { after: Length::from_minutes(15), to: vec!["vault".to_owned()] }]);
    assert_eq!(repeated.labels, [Matcher::new("team", Operation::Equal, "web").unwrap()]);
    let grouped = &config.routes[2];
    let (by, wait, interval) = (vec!["service".to_owned()], Length::from_minutes(1), Length::from_minutes(5));
    assert_eq!(grouped.grouping, Some(Grouping { by, wait, interval }));
    assert_eq!(grouped.escalate.iter().map(|step| step.to.len()).collect::<Vec<_>>(), [1, 2]);
    let labels = [("team", Operation::Match, "web|shop"), ("tier", Operation::NotEqual, "1")];
    assert_eq!(grouped.labels, labels.map(|(name, operation, value)| Matcher::new(name, operation, value).unwrap()));
    assert_eq!(grouped.active.as_ref().unwrap().to_string(), "0 9 * * Mon-Fri for 9h, Europe/Berlin");
    assert_eq!((grouped.outside, config.routes[3].outside), (Outside::Skip, Outside::Wait));
    assert_eq!(config.server.external_url.as_deref(), Some("https://slo.example"));
    assert_eq!(config.owners["payments"].sinks.len(), 3);
}

#[test]
fn an_empty_configuration_is_the_files_beside_it_and_prometheus_and_standard_output() {
    let config = config("");
    assert_eq!(config, Config::empty(std::path::Path::new("")));
    assert_eq!(config.files.slos, [std::path::Path::new(".")]);
    assert_eq!(config.sources.keys().collect::<Vec<_>>(), ["prometheus"]);
    assert_eq!(config.sinks, BTreeMap::from([("stdout".to_owned(), SinkConfig::Stdout)]));
    assert_eq!(config.routes[0].to, ["stdout"]);
    assert_eq!(config.server.listen.to_string(), "127.0.0.1:9777");
    let sink_only = self::config("sinks: {hook: {type: webhook, url: 'http://127.0.0.1:1/x?y=z'}}\n");
    assert_eq!(sink_only.routes[0].to, ["hook"], "what is configured is told");
}

#[test]
fn defaults_differ_by_kind_of_source() {
    let kinds = [("prometheus", 15), ("victoriametrics", 45), ("thanos", 60), ("mimir", 60)];
    for (kind, delay) in kinds {
        let config = config(&format!("sources: {{s: {{type: {kind}}}}}\n"));
        assert_eq!(config.sources["s"].delay, Length::from_seconds(delay), "{kind}");
        assert_eq!(config.default_source(), Some("s"));
    }
}

/// Items of `slos` with everything wrong in them: code, line and column.
#[test]
fn wrong_slos_are_found_at_their_line_and_column() {
    let events = |inside: &str| format!("  - name: a\n    objective: 99.9%\n    sli: {{events: {{{inside}}}}}\n");
    let latency = |inside: &str| format!("  - name: a\n    objective: 99.9%\n    sli: {{latency: {{{inside}}}}}\n");
    let sli = |inside: &str| format!("  - name: a\n    objective: 99.9%\n    sli: {{{inside}}}\n");
    let slo = |more: &str| format!("  - name: a\n{EVENTS}{more}");
    let cases: Vec<(String, Places)> = vec![
        (format!("  - name: a b\n{EVENTS}"), vec![(codes::BAD_NAME, 4, 11)]),
        (format!("  - nme: a\n{EVENTS}"), vec![(codes::UNKNOWN_KEY, 4, 5), (codes::MISSING_KEY, 4, 5)]),
        (slo("    sli: {}\n"), vec![(codes::DUPLICATE_KEY, 7, 5)]),
        (slo("    window: 5 days\n"), vec![(codes::BAD_DURATION, 7, 13)]),
        (slo("    window: 1m\n"), vec![(codes::BAD_DURATION, 7, 13)]),
        (slo("    window: [30d]\n"), vec![(codes::SHAPE, 7, 13)]),
        (slo("    window: {calendar: month}\n"), vec![(codes::NOT_BUILT, 7, 14)]),
        (slo("    window: 5h\n"), vec![(codes::POLICY_MISFIT, 5, 16)]),
        (slo("    window: 5h\n    alerting: {policy: balanced}\n"), vec![(codes::POLICY_MISFIT, 8, 15)]),
        (slo("    by: [a-b, c, c]\n"), vec![(codes::BAD_LABEL, 7, 10), (codes::BAD_LABEL, 7, 18)]),
        (slo("    by: region\n"), vec![(codes::SHAPE, 7, 9)]),
        (slo("    labels: {a-b: c, d: [e]}\n"), vec![(codes::BAD_LABEL, 7, 14), (codes::SHAPE, 7, 25)]),
        (slo("    links: {runbook: ftp://x/y}\n"), vec![(codes::BAD_LINK, 7, 22)]),
        (slo("    alive: sum(rate(up[$window]))\n"), vec![(codes::BAD_SLI, 7, 12)]),
        (slo("    policy: houze\n"), vec![(codes::UNKNOWN_POLICY, 7, 13)]),
        (slo("    policy: sloht\n"), vec![(codes::UNKNOWN_POLICY, 7, 13)]),
        (slo("    window: 14d\n    alerting: {policy: sloth}\n"), vec![(codes::POLICY_MISFIT, 8, 15)]),
        (slo("    window: 2d\n    alerting: {policy: pyrra}\n"), vec![(codes::POLICY_MISFIT, 8, 15)]),
        (slo("    policy: workbook\n    alerting: {policy: balanced}\n"), vec![(codes::BAD_CHOICE, 8, 24)]),
        (slo("    alerting: {mode: loud}\n"), vec![(codes::BAD_CHOICE, 7, 22)]),
        (slo("    alerting: {modus: live}\n"), vec![(codes::UNKNOWN_KEY, 7, 16)]),
        (
            slo(
                "    budgeting: {slices: 1m}\n    depends_on: [a/b]\n    overrides: [{objective: 99%}]\n    formerly: [a]\n    review: {}\n",
            ),
            vec![
                (codes::NOT_BUILT, 7, 5),
                (codes::NOT_BUILT, 8, 5),
                (codes::MISSING_KEY, 9, 17),
                (codes::BAD_NAME, 10, 16),
                (codes::MISSING_KEY, 11, 13),
            ],
        ),
        ("  - just text\n".into(), vec![(codes::SHAPE, 4, 5)]),
        ("  - name: a\n    objective: 99.9%\n".into(), vec![(codes::MISSING_KEY, 4, 5)]),
        ("  - name: a\n    objective: 0.999\n    sli: {probe: up}\n".into(), vec![(codes::BAD_OBJECTIVE, 5, 16)]),
        (sli("gauge: {query: q, below: 1}, probe: up"), vec![(codes::BAD_SLI, 6, 40)]),
        (sli("gauge: {below: 1}"), vec![(codes::MISSING_KEY, 6, 18)]),
        (sli("gauge: {query: q}"), vec![(codes::MISSING_KEY, 6, 18)]),
        (sli("gauge: {query: q, below: 1, equals: 2}"), vec![(codes::BAD_SLI, 6, 47)]),
        (
            sli("gauge: {query: 'q(', below: soon, absent: never}"),
            vec![(codes::BAD_QUERY, 6, 28), (codes::BAD_NUMBER, 6, 39), (codes::BAD_CHOICE, 6, 53)],
        ),
        (sli("gauge: {query: 'max_over_time(q[$window])', below: 1}"), vec![(codes::WINDOW_IN_GAUGE, 6, 26)]),
        (sli("gauge: up"), vec![(codes::SHAPE, 6, 18)]),
        (sli("probe: sum(up)"), vec![(codes::BAD_SLI, 6, 18)]),
        (sli("probe: {query: up}"), vec![(codes::SHAPE, 6, 18)]),
        (sli("ratio: {}"), vec![(codes::MISSING_KEY, 6, 18)]),
        (sli("ratio: 'sum('"), vec![(codes::BAD_QUERY, 6, 22)]),
        (latency("histogram: h, below: 1s, native: perhaps"), vec![(codes::SHAPE, 6, 54)]),
        (latency("histogram: h, below: 1s, native: true, mode: exact"), vec![(codes::BAD_SLI, 6, 66)]),
        (
            "  - name: a\n    objective: {at_most: 100}\n    sli: {events: {bad: b, total: t}}\n".into(),
            vec![(codes::NOT_BUILT, 5, 17)],
        ),
        (
            "  - name: a\n    objective: [1]\n    sli: {evnts: {}}\n".into(),
            vec![(codes::SHAPE, 5, 16), (codes::UNKNOWN_KEY, 6, 11)],
        ),
        ("  - name: a\n    objective:\n    sli: {}\n".into(), vec![(codes::SHAPE, 5, 5), (codes::MISSING_KEY, 6, 10)]),
        (events("bad: b, good: g, total: t"), vec![(codes::BAD_SLI, 6, 34)]),
        (events("total: t"), vec![(codes::MISSING_KEY, 6, 19)]),
        (events("bad: b"), vec![(codes::MISSING_KEY, 6, 19)]),
        (events("bad: 'rat(b[$window])', total: 't{'"), vec![(codes::BAD_QUERY, 6, 26), (codes::BAD_QUERY, 6, 53)]),
        (events("bad: 'rate(b[5m])', total: t"), vec![(codes::NO_WINDOW, 6, 25)]),
        (events("bad: 'avg_over_time(b[$window])', total: t"), vec![(codes::UNCLEAR_UNIT, 6, 25)]),
        (
            events("bad: 'avg_over_time(b[$window])', total: t, unit: kg"),
            vec![(codes::UNCLEAR_UNIT, 6, 25), (codes::BAD_CHOICE, 6, 70)],
        ),
        (events("bad: b, total: 'sum(increase(t[$window]))', mode: exact"), vec![(codes::BAD_SLI, 6, 35)]),
        (events("bad: b, total: t, step: 45s, mode: pushdown"), vec![(codes::BAD_DURATION, 6, 44)]),
        (events("bad: b, total: t, step: 1m"), vec![(codes::BAD_SLI, 6, 38)]),
        (events("bad: [b], total: {t: u}"), vec![(codes::SHAPE, 6, 25), (codes::SHAPE, 6, 37)]),
        (latency("histogram: h"), vec![(codes::MISSING_KEY, 6, 20)]),
        (latency("below: 1s"), vec![(codes::MISSING_KEY, 6, 20)]),
        (latency("histogram: h_bucket, below: 1s"), vec![(codes::BAD_SLI, 6, 32)]),
        (latency("histogram: h, below: soon"), vec![(codes::BAD_DURATION, 6, 42)]),
        (latency("histogram: h, below: 1s, above: 2s"), vec![(codes::BAD_SLI, 6, 46)]),
        (latency("histogram: h, p95: 1s"), vec![(codes::BAD_OBJECTIVE, 5, 16)]),
        (latency("histogram: h, p0: 1s"), vec![(codes::BAD_OBJECTIVE, 6, 35)]),
        (
            latency("histogram: 'h{le=\"1\"}', below: 1s, good: 'a=b'"),
            vec![(codes::BAD_SLI, 6, 32), (codes::BAD_QUERY, 6, 62)],
        ),
        (latency("histogram: h, above: 1s, good: 'a=\"b\"'"), vec![(codes::NOT_BUILT, 6, 52)]),
    ];
    let wrong: Vec<_> = cases.iter().filter(|(item, expected)| found(&slo_with(item)) != *expected).collect();
    for (item, expected) in &wrong {
        println!("{item}\n  expected {expected:?}\n  found    {:?}\n", found(&slo_with(item)));
    }
    assert!(wrong.is_empty(), "{} of {} differ", wrong.len(), cases.len());
}

/// What is weighted by time, and what it says of the thing that is scraped.
#[test]
fn gauges_probes_and_ratios_mean_what_they_say() {
    let sli = |sli: &str| one(&format!("  - name: a\n    objective: 99.9%\n    sli: {{{sli}}}\n"));
    let up = |slo: &Slo| match &slo.alive {
        Alive::Selector(selector) => selector.to_string(),
        Alive::None => "none".to_owned(),
    };
    let age = "time() - max(export_last_success_timestamp_seconds)";
    let slo = sli(&format!("gauge: {{query: {age}, below: 15m, absent: bad}}"));
    assert_eq!(slo.sli, Sli::Gauge { query: age.to_owned(), bound: Bound::Below(900.0), absent: Absent::Bad });
    assert_eq!(up(&slo), "none");
    let slo = sli("gauge: {query: 'min(free{job=\"db\"})', above: 0.25}");
    let query = "min(free{job=\"db\"})".to_owned();
    assert_eq!(slo.sli, Sli::Gauge { query, bound: Bound::Above(0.25), absent: Absent::Ignore });
    let probe = r#"probe_success{job="blackbox",instance="https://shop.example"}"#;
    let slo = sli(&format!("probe: '{probe}'"));
    assert_eq!(slo.sli, Sli::Gauge { query: probe.to_owned(), bound: Bound::Equals(1.0), absent: Absent::Ignore });
    assert_eq!(up(&slo), r#"up{job="blackbox",instance="https://shop.example"}"#);
    let text = "sum(rate(e[$window])) / sum(rate(t[$window]))";
    for written in [format!("ratio: '{text}'"), format!("ratio: {{query: '{text}'}}")] {
        let slo = sli(&written.replace("$window])) /", "{{.window}}])) /"));
        assert_eq!(slo.sli, Sli::Ratio { query: text.to_owned() });
    }
    let slo = sli(r#"latency: {histogram: 'h{job="x"}', below: 300ms, native: true, good: 'code="200"'}"#);
    let Sli::Pushdown { numerator: Numerator::Good, events, total, .. } = &slo.sli else { panic!("{:?}", slo.sli) };
    assert_eq!(total.text, r#"histogram_count(sum(rate(h{job="x"}[$window])))"#);
    assert!(events.text.starts_with(r#"histogram_fraction(0, 0.3, sum(rate(h{job="x",code="200"}[$window])))"#));
    assert_eq!(up(&slo), r#"up{job="x"}"#);
}

/// Whole documents with what is wrong in them.
#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn wrong_documents_are_found_at_their_line_and_column() {
    let cases: Vec<(&str, Places)> = vec![
        ("a: [1\nb: 2\n", vec![(codes::SYNTAX, 2, 2)]),
        ("name: x\n", vec![(codes::UNKNOWN_DOCUMENT, 1, 1)]),
        ("- 1\n", vec![(codes::UNKNOWN_DOCUMENT, 1, 1)]),
        ("version: slo/v2\n", vec![(codes::UNKNOWN_DOCUMENT, 1, 10)]),
        ("version: slos/v1\n", vec![(codes::UNKNOWN_DOCUMENT, 1, 10)]),
        ("version: slo-test/v1\nslo: a/b\n", vec![(codes::NOT_BUILT, 1, 10)]),
        ("version: template/v1\n", vec![(codes::MISSING_KEY, 1, 1)]),
        ("apiVersion: openslo/v1\nkind: SLO\n", vec![(codes::NOT_BUILT, 1, 13)]),
        ("version: slo/v1\n", vec![(codes::MISSING_KEY, 1, 1), (codes::MISSING_KEY, 1, 1)]),
        ("version: slo/v1\nservice: a\nuse: [{template: http}]\n", vec![(codes::UNKNOWN_TEMPLATE, 3, 18)]),
        ("version: slo/v1\nservice: a\nslos:\n", vec![]),
        ("version: policy/v1\npolicies: {}\n", vec![(codes::SHAPE, 2, 11)]),
        (
            "version: policy/v1\npolicies:\n- name: balanced\n  tiers: [{severity: page, down: {after: 1m}}]\n",
            vec![(codes::PRESET_TAKEN, 3, 9)],
        ),
        (
            "version: policy/v1\npolicies:\n- name: x\n  replaces: preset\n  tiers: [{severity: page, down: {after: 1m}}]\n",
            vec![(codes::PRESET_TAKEN, 3, 9)],
        ),
        (
            "version: policy/v1\npolicies:\n- {name: x, budget: [], tiers: []}\n",
            vec![(codes::MISSING_KEY, 3, 3), (codes::NOT_BUILT, 3, 13)],
        ),
        ("version: config/v1\n---\nversion: config/v1\n", vec![(codes::TWO_CONFIGURATIONS, 3, 10)]),
        (
            "version: config/v1\nslice: 7s\nevidence: {a: b}\nsinkz: {}\n",
            vec![(codes::BAD_DURATION, 2, 8), (codes::NOT_BUILT, 3, 1), (codes::UNKNOWN_KEY, 4, 1)],
        ),
        (
            "version: config/v1\nsources: {a b: {type: scrape}, c: {type: tempo}, d: {type: promtheus}, e: {}}\n",
            vec![
                (codes::BAD_NAME, 2, 11),
                (codes::MISSING_KEY, 2, 16),
                (codes::NOT_BUILT, 2, 42),
                (codes::BAD_CHOICE, 2, 60),
                (codes::MISSING_KEY, 2, 75),
            ],
        ),
        (
            "version: config/v1\nsources: {a: {type: prometheus, urls: [9090, 'http://u:p@h'], gap: 1m}}\n",
            vec![(codes::BAD_ADDRESS, 2, 40), (codes::LITERAL_SECRET, 2, 46), (codes::BAD_DURATION, 2, 68)],
        ),
        (
            "version: config/v1\nsources: {a: {type: prometheus, targets: [], auth: {bearer: xyz}}}\n",
            vec![(codes::UNKNOWN_KEY, 2, 33), (codes::LITERAL_SECRET, 2, 61)],
        ),
        (
            "version: config/v1\nsinks: {a: {type: webhook, secret: xyz}, b: {type: slack}, c: {type: alertmanager, expires: 1m}}\n",
            vec![
                (codes::MISSING_KEY, 2, 12),
                (codes::LITERAL_SECRET, 2, 36),
                (codes::MISSING_KEY, 2, 45),
                (codes::BAD_DURATION, 2, 93),
            ],
        ),
        (
            "version: config/v1\nroutes: [{to: [stdout], repeat: 9s, continue: maybe}, {match: {team: x}}]\n",
            vec![
                (codes::BAD_DURATION, 2, 33),
                (codes::SHAPE, 2, 47),
                (codes::MISSING_KEY, 2, 55),
                (codes::UNKNOWN_KEY, 2, 64),
            ],
        ),
        (
            "version: config/v1\nroutes:\n- to: [a]\n  group_by: [team, 'a-b']\n  group_wait: soon\n  outside: skip\n  escalate: [{after: 1h, to: [b]}, {after: 15m}]\n",
            vec![
                (codes::BAD_LABEL, 4, 20),
                (codes::BAD_DURATION, 5, 15),
                (codes::BAD_TIER, 6, 12),
                (codes::MISSING_KEY, 7, 36),
            ],
        ),
        (
            "version: config/v1\nroutes:\n- to: [a]\n  group_interval: 1m\n  active: {cron: '0 9 * * Mon-Fri', for: 9h, zone: Berlin}\n  match: {labels: [team, 'team=~(', 'x-y=1', 'team=~web|shop'], severity: sms}\n",
            vec![
                (codes::BAD_TIER, 4, 19),
                (codes::BAD_CHOICE, 5, 52),
                (codes::BAD_LABEL, 6, 20),
                (codes::BAD_LABEL, 6, 26),
                (codes::BAD_LABEL, 6, 37),
                (codes::BAD_CHOICE, 6, 75),
            ],
        ),
        (
            "version: config/v1\nroutes: [{to: [a], escalate: [{after: 1h, to: [b]}, {after: 1h, to: [c]}], repeat: 0s}]\nfallback: hook\nlimits: {storm: 0}\n",
            vec![
                (codes::BAD_TIER, 2, 61),
                (codes::BAD_DURATION, 2, 84),
                (codes::SHAPE, 3, 11),
                (codes::BAD_NUMBER, 4, 17),
            ],
        ),
        (
            "version: config/v1\nserver: {listen: 9777, external_url: slo, compat: pyrra, tls: {}}\n",
            vec![
                (codes::BAD_ADDRESS, 2, 18),
                (codes::BAD_ADDRESS, 2, 38),
                (codes::BAD_CHOICE, 2, 51),
                (codes::NOT_BUILT, 2, 58),
            ],
        ),
        (
            "version: config/v1\nwatchdog: [{every: 1m}, {to: [hook], every: 10ms}, {to: [hook], often: 1m}]\n",
            vec![(codes::MISSING_KEY, 2, 12), (codes::BAD_DURATION, 2, 45), (codes::UNKNOWN_KEY, 2, 65)],
        ),
        (
            "version: config/v1\nlimits: {instances: 0, storm: 20}\nstorage: {postgres: {}}\nfiles: {exclusions: [x]}\n",
            vec![(codes::BAD_NUMBER, 2, 21), (codes::NOT_BUILT, 3, 11)],
        ),
    ];
    let wrong: Vec<_> = cases.iter().filter(|(text, expected)| found(text) != *expected).collect();
    for (text, expected) in &wrong {
        println!("{text}\n  expected {expected:?}\n  found    {:?}\n", found(text));
    }
    assert!(wrong.is_empty(), "{} of {} differ", wrong.len(), cases.len());
}

#[test]
fn unknown_keys_come_with_a_suggestion() {
    let loaded = read(&slo_with("  - name: a\n    objektive: 99.9%\n    sli: {events: {bad: b, total: t}}\n"));
    assert_eq!(loaded.findings[0].code, codes::MISSING_KEY);
    let unknown = &loaded.findings[1];
    assert_eq!(unknown.help.as_deref(), Some("did you mean `objective`?"));
    assert_eq!(unknown.slo.as_ref().map(ToString::to_string).as_deref(), Some("checkout/a"));
    assert_eq!(unknown.path, "/slos/0/objektive");
}

#[test]
fn ids_are_unique_over_all_files() {
    let text = slo_with(&format!("  - name: a\n{EVENTS}"));
    let loaded = load(&[SourceText::found("a.yaml", &text), SourceText::found("b.yaml", &text)]);
    assert_eq!(loaded.slos.len(), 1);
    let finding = &loaded.findings[0];
    assert_eq!(
        (finding.code, finding.place.as_ref().map(|place| place.file.as_ref())),
        (codes::DUPLICATE_NAME, Some("b.yaml"))
    );
    assert_eq!(finding.related[0].0.file.as_ref(), "a.yaml");
    let place = loaded.place(&loaded.slos[0].id, "/sli/events/total").unwrap();
    assert_eq!((place.line, place.column), (6, 43));
}

#[test]
fn foreign_documents_are_skipped_and_lists_are_opened() {
    let deployment = "apiVersion: apps/v1\nkind: Deployment\nspec: {a: 1, a: 2}\n";
    let loaded = load(&[SourceText::named("a.yaml", deployment), SourceText::found("b.yaml", "name: compose\n")]);
    assert_eq!((loaded.findings.len(), loaded.skipped, loaded.documents.len()), (0, 2, 0));
    let mixed = format!("{deployment}---\nname: x\n---\n{}", slo_with(&format!("  - name: a\n{EVENTS}")));
    let loaded = load(&[SourceText::found("a.yaml", mixed)]);
    assert_eq!((loaded.skipped, loaded.slos.len()), (1, 1));
    assert_eq!(loaded.findings[0].code, codes::UNKNOWN_DOCUMENT, "beside one of ours it has to say what it is");
    let list = "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: ConfigMap}\n- version: slo/v1\n  service: s\n  slos: [{name: a, objective: 99%, sli: {events: {bad: b, total: t}}}]\n";
    let loaded = clean(list);
    assert_eq!((loaded.skipped, loaded.slos.len()), (1, 1));
    assert_eq!(loaded.slo_origins[&loaded.slos[0].id].path, "/items/1/slos/0");
}

#[test]
fn secrets_are_masked_and_never_in_a_message() {
    let text = "version: config/v1\nsources:\n  a: {type: prometheus, auth: {bearer: hunter2, tokn: hunter2}, headers: {Authorization: hunter2}}\n  b: {type: prometheus, auth: hunter2}\n  c: {type: prometheus, auth: {basic: {user: u, password: [hunter2]}}}\nsinks:\n  d: {type: pagerduty, routing_key: hunter2}\n  e: {type: webhook, url: 'https://u:hunter2@h/x', secret: {envv: hunter2}}\n";
    let loaded = read(text);
    assert!(loaded.has_errors());
    for finding in &loaded.findings {
        assert!(!format!("{finding:?}").contains("hunter2"), "{finding:?}");
    }
    let mut lines: Vec<Vec<char>> = text.lines().map(|line| line.chars().collect()).collect();
    for place in &loaded.masked {
        for column in place.column..place.end_column {
            lines[place.line as usize - 1][column as usize - 1] = '*';
        }
    }
    let masked: Vec<String> = lines.into_iter().map(|line| line.into_iter().collect()).collect();
    assert!(!masked.join("\n").contains("hunter2"), "{masked:?}");
}

#[test]
fn the_budget_comes_from_the_written_digits() {
    for (written, budget) in [("99.95", 0.0005), ("99.9%", 0.001), ("'99.99 %'", 0.0001), ("99.999000", 0.00001)] {
        let slo = one(&format!("  - name: a\n    objective: {written}\n    sli: {{events: {{bad: b, total: t}}}}\n"));
        assert_eq!(slo.objective.budget_ratio().to_bits(), f64::to_bits(budget), "{written}");
    }
}

#[test]
fn alive_is_derived_from_the_matchers_of_total() {
    let alive = |total: &str| {
        let slo = one(&format!("  - name: a\n    objective: 99%\n    sli: {{events: {{bad: b, total: '{total}'}}}}\n"));
        match &slo.alive {
            Alive::None => "none".to_owned(),
            Alive::Selector(selector) => selector.to_string(),
        }
    };
    assert_eq!(alive("t"), "none");
    assert_eq!(alive(r#"t{job=~"a|b"}"#), "none");
    assert_eq!(alive(r#"t{code="200",job="a",namespace="n"}"#), r#"up{job="a",namespace="n"}"#);
    assert_eq!(alive(r#"sum(increase(t{instance="i"}[$window]))"#), r#"up{instance="i"}"#);
}

#[test]
fn a_plain_selector_beside_a_query_or_forced_is_pushed_down_with_its_groups() {
    let queries = |inside: &str| {
        let slo =
            one(&format!("  - name: a\n    objective: 99%\n    by: [region]\n    sli: {{events: {{{inside}}}}}\n"));
        let Sli::Pushdown { events, total, step, .. } = &slo.sli else { panic!("{:?}", slo.sli) };
        (events.text.clone(), events.unit, total.text.clone(), total.unit, *step)
    };
    let minute = Length::from_minutes(1);
    let rate = |metric: &str| format!("sum by (region)(rate({metric}[$window]))");
    assert_eq!(
        queries("bad: b, total: sum(t), mode: pushdown"),
        (rate("b"), Unit::Rate, rate("t"), Unit::Rate, minute)
    );
    let increase = "sum by (region) (increase(t[$window]))";
    assert_eq!(
        queries(&format!("good: b, total: '{increase}', step: 5m")),
        (rate("b"), Unit::Rate, increase.into(), Unit::Count, Length::from_minutes(5))
    );
}

#[test]
fn the_generation_is_that_of_the_data_and_of_nothing_else() {
    let slo = |text: &str| one(text).generation();
    let base = slo(&format!("  - name: a\n{EVENTS}"));
    assert_eq!(base.len(), 64);
    assert_eq!(base, slo(&format!("  - name: other\n{EVENTS}    window: 7d\n    policy: workbook\n")));
    let others = [
        slo(&format!("  - name: a\n{EVENTS}    source: elsewhere\n")),
        slo(&format!("  - name: a\n{EVENTS}    by: [x]\n")),
        slo("  - name: a\n    objective: 99.9%\n    sli: {events: {good: bad_total, total: all_total}}\n"),
        slo("  - name: a\n    objective: 99.9%\n    sli: {events: {bad: bad_total, total: every_total}}\n"),
        slo(
            "  - name: a\n    objective: 99.9%\n    sli: {events: {bad: bad_total, total: all_total, mode: pushdown}}\n",
        ),
    ];
    let distinct: std::collections::BTreeSet<&String> = others.iter().chain([&base]).collect();
    assert_eq!(distinct.len(), 6);
}

#[test]
fn the_configuration_gives_slos_their_defaults() {
    let config = "version: config/v1\nslice: 100s\nalerting: {mode: shadow}\nsources: {a: {type: prometheus}, b: {type: thanos}}\n---\n";
    let item = "  - name: a\n    objective: 99%\n    sli: {events: {bad: b, total: t, mode: pushdown}}\n";
    assert_eq!(found(&format!("{config}{}", slo_with(item))), [(codes::MISSING_KEY, 9, 5)]);
    let loaded = clean(&format!("{config}{}", slo_with(&format!("{item}    source: b\n"))));
    let slo = &loaded.slos[0];
    assert_eq!(slo.alerting.mode, Mode::Shadow);
    assert!(matches!(slo.sli, Sli::Pushdown { step, .. } if step == Length::from_seconds(100)));
}

#[test]
fn a_replaced_preset_and_an_equal_one_are_fine() {
    let equal = include_str!("../rules/balanced.yaml");
    assert!(clean(equal).policy_origins.contains_key("balanced"));
    let text = "version: policy/v1\npolicies:\n- name: balanced\n  replaces: preset\n  tiers: [{severity: page, down: {after: 1m}}]\n";
    assert_eq!(clean(text).policies["balanced"].tiers.len(), 1);
}

#[test]
fn five_megabytes_are_read_in_reasonable_time() {
    let mut text = "version: slo/v1\nservice: s\nslos:\n".to_owned();
    let mut count = 0;
    while text.len() < 5_000_000 {
        // Regular expressions cost what they cost in a debug build; one in a hundred shows that they work.
        let code = if count % 100 == 0 { "=~\"5..\"" } else { "=\"500\"" };
        let _ = write!(
            text,
            "  - name: slo-{count}\n    description: Requests of part {count} succeed.\n    objective: 99.9%\n    \
             sli:\n      events:\n        bad: http_requests_total{{job=\"part-{count}\", code{code}}}\n        \
             total: http_requests_total{{job=\"part-{count}\"}}\n    by: [region]\n    labels: {{tier: \"1\"}}\n"
        );
        count += 1;
    }
    #[expect(clippy::disallowed_methods, reason = "the test measures time, it does not decide by it")]
    let begun = Instant::now();
    let loaded = clean(&text);
    assert_eq!(loaded.slos.len(), count);
    assert!(begun.elapsed() < LONG, "took {:?}", begun.elapsed());
}

#[test]
fn hostile_files_end_soon() {
    let mut cases: Vec<Vec<u8>> =
        vec![b"[".repeat(1 << 20), b"- ".repeat(1 << 20), b"{a: ".repeat(1 << 20), b"? ".repeat(1 << 20)];
    cases.push(b"a: \"".to_vec().into_iter().chain(b"\\x41".repeat(1 << 20)).collect());
    cases.push(b"&a ".repeat(1 << 18));
    cases.push((0..100_000).flat_map(|n| format!("k{n}: &a{n} [*a{n}]\n").into_bytes()).collect());
    cases.push((0..200_000).flat_map(|n| format!("k{n}: {n}\n").into_bytes()).collect());
    cases.push(vec![b'a'; MAX_BYTES]);
    cases.push(vec![0; 1 << 20]);
    #[expect(clippy::disallowed_methods, reason = "the test measures time, it does not decide by it")]
    let begun = Instant::now();
    for case in cases {
        let loaded = load(&[SourceText::named("x", case)]);
        assert!(loaded.slos.is_empty());
    }
    assert!(begun.elapsed() < LONG, "took {:?}", begun.elapsed());
}

/// A text of ours with some bytes changed, taken out, put in or repeated.
fn mutated() -> impl Strategy<Value = Vec<u8>> {
    let seeds = [NATIVE, CONFIGURATION, include_str!("../rules/balanced.yaml")];
    let pieces = prop::sample::select(vec![
        "{", "}", "[", "]", "*a", "&a ", "<<: ", "\n", "  ", "- ", "? ", ": ", "!x ", "|\n", "'", "\"", "#",
        "\u{feff}", "\t", "%", "---\n", "...", "0", "-1", "é", "\u{0}",
    ]);
    let change = (any::<prop::sample::Index>(), 0..4_u8, pieces, any::<u8>());
    (prop::sample::select(seeds.to_vec()), prop::collection::vec(change, 1..12)).prop_map(|(seed, changes)| {
        let mut bytes = seed.as_bytes().to_vec();
        for (at, kind, piece, byte) in changes {
            let at = at.index(bytes.len().max(1)).min(bytes.len().saturating_sub(1));
            match kind {
                0 => bytes[at] = byte,
                1 => drop(bytes.drain(at..(at + usize::from(byte)).min(bytes.len()))),
                2 => drop(bytes.splice(at..at, piece.bytes())),
                _ => bytes.truncate(at.max(1)),
            }
            if bytes.is_empty() {
                bytes.push(b' ');
            }
        }
        bytes
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = load(&[SourceText::named("x", bytes)]);
    }

    #[test]
    fn no_yaml_like_text_makes_the_reader_panic(text in "[ \\n:{}\\[\\],&*a-c!|>'\"#?%0-9.-]{0,200}") {
        let _ = load(&[SourceText::named("x", format!("version: slo/v1\n{text}"))]);
    }

    #[test]
    fn no_change_of_our_files_makes_the_reader_panic(bytes in mutated()) {
        let loaded = load(&[SourceText::named("x", bytes)]);
        for finding in &loaded.findings {
            let place = finding.place.as_ref();
            prop_assert!(place.is_some_and(|place| place.line >= 1 && place.column >= 1), "{:?}", finding);
            prop_assert!(codes::title(finding.code).is_some());
            prop_assert!(finding.severity != Severity::Info);
        }
    }

    #[test]
    fn no_query_makes_the_reader_panic(query in "[a-z_{}()\\[\\]=~!\"'0-9$+*/. ,^-]{0,60}") {
        let text = slo_with(&format!("  - name: a\n    objective: 99%\n    sli:\n      events:\n        bad: |-\n          {query}\n        total: t\n"));
        let _ = load(&[SourceText::named("x", text)]);
    }
}
