//! What people do to the service: one way in, one entry in the audit, all of it in one commit or nothing.

use crate::policy::act::{Act, Acted, Actor};
use crate::runtime::live::Live;
use crate::runtime::service::{ActError, Service as _};

impl Live {
    /// Does it, or nothing at all.
    pub(super) async fn perform(&self, act: Act, _by: &Actor) -> Result<Acted, ActError> {
        match act {
            Act::Reload => {
                self.reload().await.map_err(ActError::Refused)?;
                Ok(Acted { id: self.config().digest, message: "the files were read again".to_owned() })
            }
            Act::Ack { .. }
            | Act::Close { .. }
            | Act::Judge { .. }
            | Act::Silence(_)
            | Act::Expire { .. }
            | Act::Mark { .. }
            | Act::Drill { .. }
            | Act::Resend { .. }
            | Act::Test { .. } => Err(ActError::Invalid("this is not built yet".to_owned())),
        }
    }
}
