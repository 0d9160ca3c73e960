//! What comes back from receivers: somebody acknowledged there what we told.
//!
//! The signature over the raw body is the permission, so it is proved before anything of the body is looked at; without a
//! secret nothing is taken. A receiver that says an alert is over while the data says it fires has only been acknowledged:
//! the data ends alerts, and people do it here. Pure: what is asked for comes out, the caller does it.

pub mod pagerduty;
pub mod slack;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;

use crate::store::StoreError;
use crate::units::Timestamp;

/// A request of a receiver, as it came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HookRequest {
    /// `X-PagerDuty-Signature`, `X-Slack-Signature`.
    pub signature: Option<String>,
    /// `X-Slack-Request-Timestamp`.
    pub timestamp: Option<String>,
    /// The raw body.
    pub body: Vec<u8>,
}

/// Whose requests these are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HookKind {
    /// Webhooks v3.
    Pagerduty,
    /// Interactivity.
    Slack,
}

impl HookKind {
    /// On what way somebody acts: `pagerduty`, `slack`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pagerduty => "pagerduty",
            Self::Slack => "slack",
        }
    }

    /// What is asked for, where the request is proved to come from there.
    ///
    /// # Errors
    /// Where it is not proved, or cannot be read.
    pub fn read(self, secret: &[u8], request: &HookRequest, now: Timestamp) -> Result<Option<HookAck>, HookError> {
        match self {
            Self::Pagerduty => pagerduty::read(secret, request),
            Self::Slack => slack::read(secret, request, now),
        }
    }
}

/// Somebody acknowledged something there, or it was taken back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HookAck {
    /// Alert id or dedup key, as we told it.
    pub key: String,
    /// Who, as it is told there.
    pub by: String,
    /// What they did, where it was more than that.
    pub note: Option<String>,
    /// Nobody works on it any more there.
    pub taken_back: bool,
}

/// Why a request of a receiver is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HookError {
    /// There is no sink of this name that says anything back.
    #[error("no sink of this name takes answers")]
    Unknown,
    /// Nothing to prove it by.
    #[error("the sink has no secret for what comes back; write `hook_secret` (PagerDuty) or `signing_secret` (Slack)")]
    NoSecret,
    /// Not signed, not with our secret, or too old.
    #[error("the signature is missing, wrong or too old")]
    Unsigned,
    /// Signed, and not what the receiver documents.
    #[error("the body cannot be read: {0}")]
    Unreadable(String),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Whether `hex` is the HMAC-SHA256 of these parts; in constant time.
fn is_signed(secret: &[u8], parts: &[&[u8]], hex: &str) -> bool {
    // A key of any length is taken.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret) else { return false };
    for part in parts {
        mac.update(part);
    }
    let digit = |value: u8| if value < 10 { b'0' + value } else { b'a' + value - 10 };
    let expected: Vec<u8> =
        mac.finalize().into_bytes().iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect();
    expected.ct_eq(hex.to_ascii_lowercase().as_bytes()).into()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// The signature of a body as hexadecimal digits.
    pub(super) fn hex(secret: &[u8], parts: &[&[u8]]) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(secret).unwrap();
        for part in parts {
            mac.update(part);
        }
        mac.finalize().into_bytes().iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"))
    }

    #[test]
    fn the_signature_is_that_of_the_published_example() {
        // RFC 4231, test case 2.
        let expected = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        assert!(is_signed(b"Jefe", &[b"what do ya want ", b"for nothing?"], expected));
        assert!(!is_signed(b"Jefe", &[b"what do ya want for nothing!"], expected));
        assert!(!is_signed(b"Jefe", &[b"what do ya want for nothing?"], ""));
    }
}
