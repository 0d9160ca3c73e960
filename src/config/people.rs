//! Whether people can open the links in messages: what these begin with, and who reads the messages.
//!
//! With `server.external_url` they can, for somebody said so. Else links begin with the address that the service listens
//! on. `0.0.0.0` and `[::]` are addresses of nothing, and a loopback address is another machine's own for whoever reads
//! Slack there. A link that leads nowhere is worse than none: at night it costs the minutes that it was to save.

use core::net::IpAddr;

use crate::config::meant::{Config, SinkConfig};
use crate::config::sinks::slack::SlackReceiver;

/// Why links in messages would lead nowhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoWay {
    /// The service listens on all addresses, and names none of them.
    Unspecified,
    /// The service listens on loopback, and this sink is read elsewhere.
    Elsewhere(String),
}

impl Config {
    /// Why links that begin with the address that the service listens on would lead nowhere; `None`: they lead here.
    #[must_use]
    pub fn no_way_to(&self, listens: IpAddr) -> Option<NoWay> {
        if listens.is_unspecified() {
            return Some(NoWay::Unspecified);
        }
        let elsewhere = self.sinks.iter().find(|(_, sink)| sink.is_read_elsewhere());
        elsewhere.filter(|_| listens.is_loopback()).map(|(name, _)| NoWay::Elsewhere(name.clone()))
    }
}

impl SinkConfig {
    /// Whether people read it, and not on this machine. Of a webhook and of Alertmanager it is a program that reads.
    #[must_use]
    pub fn is_read_elsewhere(&self) -> bool {
        let url = match self {
            Self::Alertmanager { .. } | Self::Webhook { .. } | Self::Stdout | Self::Exec(_) | Self::File(_) => {
                return false;
            }
            Self::Teams(_) | Self::Email(_) => return true,
            Self::Slack(slack) => match &slack.to {
                SlackReceiver::Webhook { .. } => return true,
                SlackReceiver::Bot { url, .. } => url,
            },
            Self::Pagerduty(sink) => &sink.url,
            Self::Opsgenie(sink) => &sink.url,
            Self::Github(sink) => &sink.url,
            Self::Gitlab(sink) => &sink.url,
            Self::Jira(sink) => &sink.url,
            Self::Servicenow(sink) => &sink.url,
        };
        !host_of(url).is_some_and(is_loopback)
    }
}

/// The host of an address, without a user, a port, and the brackets of an IPv6 address.
#[must_use]
pub fn host_of(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    match host.strip_prefix('[') {
        Some(six) => six.split(']').next(),
        None => host.split(':').next(),
    }
}

/// Whether a host is this machine.
#[must_use]
pub fn is_loopback(host: &str) -> bool {
    let host = host.to_ascii_lowercase();
    let address = host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    address || host == "localhost" || host.ends_with(".localhost")
}
