//! `{type: slack}`: Slack, an incoming webhook (`url`), or a bot (`token` and `channel`).

use std::path::Path;

use serde::Deserialize;

use crate::config::meant::SecretRef;
use crate::config::read::{checked_address, secret};
use crate::config::sinks::required_secret;
use crate::diag::{Diagnostic, codes};
use crate::yaml::{NodeId, Reader, Shape, Written};

/// The vendor's, of a bot.
const URL: &str = "https://slack.com/api";

/// Slack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slack {
    /// Where it is told.
    pub to: SlackReceiver,
    /// Signs what Slack tells us when somebody presses `Ack`; without it there is no such button.
    pub signing_secret: Option<SecretRef>,
}

/// An incoming webhook, or a bot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SlackReceiver {
    /// One channel, new messages only.
    Webhook {
        /// The whole address: who has it can write.
        url: SecretRef,
    },
    /// Messages that are updated, with a thread each.
    Bot {
        /// `xoxb-..`, with the scope `chat:write`.
        token: SecretRef,
        /// Name or, better, id (`C024BE91L`).
        channel: String,
        /// Base, without a slash at its end.
        url: String,
    },
}

impl Slack {
    /// Every secret that it names.
    #[must_use]
    pub fn secrets(&self) -> Vec<&SecretRef> {
        let (SlackReceiver::Webhook { url: first } | SlackReceiver::Bot { token: first, .. }) = &self.to;
        [first].into_iter().chain(&self.signing_secret).collect()
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Item {
    channel: Option<String>,
}

impl Written for Item {
    const NESTED: &'static [&'static str] = &["type", "url", "token", "signing_secret", "template"];
}

/// Reads one; what is wrong is noted.
pub(super) fn read(reader: &mut Reader<'_>, node: NodeId, folder: &Path) -> Option<Slack> {
    let item: Item = reader.decode(node)?;
    let document = reader.document();
    let signing_secret = secret(reader, node, "signing_secret", folder);
    let to = if document.child(node, "token").is_some() {
        read_bot(reader, node, item.channel, folder)
    } else if document.child(node, "url").is_some() {
        // A channel beside it is a lint's: it is not honoured.
        secret(reader, node, "url", folder).map(|url| SlackReceiver::Webhook { url })
    } else {
        reader.missing(node, "url", "the address of an incoming webhook; or `token` and `channel` of a bot");
        None
    };
    Some(Slack { to: to?, signing_secret })
}

fn read_bot(reader: &mut Reader<'_>, node: NodeId, channel: Option<String>, folder: &Path) -> Option<SlackReceiver> {
    let token = required_secret(reader, node, "token", folder);
    let channel = channel.filter(|channel| !channel.trim().is_empty());
    if channel.is_none() {
        reader.missing(node, "channel", "the channel's id or name");
    }
    let document = reader.document();
    let url = match document.child(node, "url") {
        None => Some(URL.to_owned()),
        Some(child) => match document.text(child) {
            Some(text) => checked_address(reader, child, text),
            None if document.shape(child) == Shape::Nothing => Some(URL.to_owned()),
            None => {
                let finding = Diagnostic::error(codes::SHAPE, "with a `token`, `url` is the base of Slack's API");
                reader.report(child, finding.with_help("leave it out, or leave `token` out for an incoming webhook"));
                None
            }
        },
    };
    Some(SlackReceiver::Bot { token: token?, channel: channel?, url: url? })
}
