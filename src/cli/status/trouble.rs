//! What a reader of the table has to know beside it: sources and sinks in trouble, files that were refused, SLOs without
//! anything to count. Pure.

use crate::cli::table::printable;
use crate::http::dashboard::format;
use crate::http::dto::instance::Instance;
use crate::http::dto::state::{Config, Sink, Source};
use crate::units::{Length, Timestamp};

/// A failure this long before the last success is told: questions of one tick fail and succeed within it.
const RECENT: Length = Length::from_minutes(1);

/// One line where the files that are there are not those in use.
pub fn of_files(config: &Config) -> Option<String> {
    (!config.reload_ok).then(|| {
        let loaded = format::moment(config.loaded_at);
        let why = config.reload_error.as_deref().map_or_else(String::new, |error| format!(": {}", printable(error)));
        format!("the last reload was refused{why}; the files of {loaded} are in use; next: slo check")
    })
}

/// One line for each source that is down or fails in part. One that nobody asks has no trouble.
pub fn of_sources(sources: &[Source]) -> Vec<String> {
    sources.iter().filter_map(of_source).collect()
}

/// One line for each sink that fails, or has messages waiting; `slo deliveries` lists them.
pub fn of_sinks(sinks: &[Sink], now: Timestamp) -> Vec<String> {
    sinks.iter().filter_map(|sink| sink.trouble(now)).map(|line| printable(&line)).collect()
}

/// One line for each instance that has nothing to count.
pub fn of_slos(slos: &[Instance]) -> Vec<String> {
    let problem = |slo: &Instance| {
        Some(format!("{} has nothing to count: {}", printable(&slo.id), printable(slo.problem.as_deref()?)))
    };
    slos.iter().filter_map(problem).collect()
}

fn of_source(source: &Source) -> Option<String> {
    let name = printable(&source.name);
    let recent = source
        .last_error
        .as_ref()
        .filter(|error| !source.up || source.last_success_at.is_none_or(|success| error.at + RECENT >= success));
    match recent {
        Some(error) if source.up && source.targets_failed.is_some_and(|failed| failed > 0) => {
            let (failed, all) = (source.targets_failed.unwrap_or_default(), source.targets.unwrap_or_default());
            Some(format!("source `{name}`: {failed} of {all} targets fail: {}", printable(&error.message)))
        }
        Some(error) if source.up => {
            Some(format!("source `{name}` does not answer all questions: {}", printable(&error.message)))
        }
        Some(error) => {
            let since = source.watermark.map_or_else(String::new, |at| format!(" since {}", format::moment(at)));
            let effect = if source.targets.is_some() { "nothing of it is measured" } else { "its SLOs stand still" };
            Some(format!("source `{name}` does not answer, {effect}{since}: {}", printable(&error.message)))
        }
        None => source.replicas_differ.then(|| format!("source `{name}`: its replicas hold different samples")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::dto::figure::Figure;
    use crate::http::dto::state::SourceFailure;

    fn source(up: bool, success: Option<i64>, error: Option<i64>) -> Source {
        let at = Timestamp::from_seconds;
        Source {
            name: "prom\u{1b}".into(),
            kind: "prometheus".into(),
            up,
            watermark: success.map(at),
            last_success_at: success.map(at),
            last_error: error.map(|seconds| SourceFailure { at: at(seconds), message: "refused".into() }),
            requests_failed: 1,
            clock_skew_seconds: Figure(0.0),
            replicas_differ: false,
            targets: None,
            targets_failed: None,
        }
    }

    #[test]
    fn a_refused_reload_names_its_first_error() {
        let config = Config {
            revision: None,
            digest: String::new(),
            loaded_at: Timestamp::from_seconds(0),
            reload_ok: false,
            reload_error: Some("a.yaml:5:1: error[SLO001]: `x` is not a key".into()),
            config: serde_json::Value::Null,
        };
        let line = of_files(&config).unwrap();
        assert!(
            line.starts_with("the last reload was refused: a.yaml:5:1: error[SLO001]: `x` is not a key; "),
            "{line}"
        );
        assert_eq!(of_files(&Config { reload_ok: true, ..config }), None);
    }

    #[test]
    fn targets_that_fail_are_counted() {
        let scraped =
            |up, failed| Source { targets: Some(3), targets_failed: Some(failed), ..source(up, Some(600), Some(600)) };
        assert_eq!(of_sources(&[scraped(true, 1)]), ["source `prom`: 1 of 3 targets fail: refused"]);
        assert_eq!(
            of_sources(&[scraped(false, 3)]),
            ["source `prom` does not answer, nothing of it is measured since 1970-01-01 00:10:00 UTC: refused"]
        );
    }

    #[test]
    fn what_fails_now_is_told_and_what_is_over_is_not() {
        let told = |up, success, error| of_sources(&[source(up, success, error)]).pop();
        assert_eq!(told(true, Some(600), None), None);
        assert_eq!(told(true, Some(600), Some(500)), None, "well again");
        assert_eq!(told(false, None, None), None, "nobody asks it");
        assert_eq!(told(true, Some(600), Some(600)).unwrap(), "source `prom` does not answer all questions: refused");
        assert_eq!(
            told(false, Some(0), Some(600)).unwrap(),
            "source `prom` does not answer, its SLOs stand still since 1970-01-01 00:00:00 UTC: refused"
        );
        assert_eq!(
            told(false, None, Some(600)).unwrap(),
            "source `prom` does not answer, its SLOs stand still: refused"
        );
    }
}
