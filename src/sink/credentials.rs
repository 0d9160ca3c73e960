//! The secrets of one sink, and the second try after they were refused.
//!
//! A secret file may have been replaced a moment ago: after a 401 or 403 (or what stands for it in another protocol) the
//! files are read again, whatever their times say, and the attempt is made once more at once. A secret of the environment
//! does not change, so there the second try would be in vain and is not made. Values come in the order of the references.
//!
//! ```ignore
//! let exchange = self.credentials.attempt(|values| async move {
//!     let [token] = values.as_slice() else { return Err(unusable()) };
//!     self.client.post(&self.url, &[("authorization", bearer(token))], body).await
//! }).await;
//! ```

use std::future::Future;
use std::sync::Arc;

use secrecy::{ExposeSecret as _, SecretString};

use crate::config::meant::SecretRef;
use crate::secret::Secrets;
use crate::sink::client::{Answer, NoAnswer};

/// What stands in place of a value.
const REDACTED: &str = "[redacted]";
/// Shorter values are words that an answer may well hold for other reasons.
const LEAST_SECRET: usize = 4;

/// What a sink logs in with.
#[derive(Clone, Debug)]
pub struct Credentials {
    references: Vec<SecretRef>,
    secrets: Arc<Secrets>,
}

impl Credentials {
    /// Of these references, in this order.
    ///
    /// # Errors
    /// Where one of them cannot be had; names the reference, never the value.
    pub fn new(references: impl IntoIterator<Item = SecretRef>, secrets: &Arc<Secrets>) -> Result<Self, String> {
        let this = Self { references: references.into_iter().collect(), secrets: Arc::clone(secrets) };
        this.values().map_err(|none| none.message)?;
        Ok(this)
    }

    /// The present values, in the order of the references.
    ///
    /// # Errors
    /// Where one of them cannot be had any more.
    pub fn values(&self) -> Result<Vec<SecretString>, NoAnswer> {
        let resolve = |reference| self.secrets.resolve(reference).map_err(|why| why.to_string());
        let values: Result<Vec<SecretString>, String> = self.references.iter().map(resolve).collect();
        values.map_err(NoAnswer::keyless)
    }

    /// Reads the files again; says whether there are any, so that another try may end otherwise.
    fn reread(&self) -> bool {
        // Each is read, also after the first that can be.
        let read = |reference: &&SecretRef| matches!(self.secrets.reread(reference), Ok(Some(_)));
        self.references.iter().filter(read).count() > 0
    }

    /// One attempt over HTTP, and a second one where the first was answered with 401 or 403. Values that the receiver
    /// repeats, also the path of an address, are taken out of what it said.
    ///
    /// # Errors
    /// Those of the attempt, and where a secret cannot be had.
    pub async fn attempt<F, T>(&self, request: F) -> Result<Answer, NoAnswer>
    where
        F: FnMut(Vec<SecretString>) -> T,
        T: Future<Output = Result<Answer, NoAnswer>>,
    {
        let refused = |answer: &Result<Answer, NoAnswer>| matches!(answer, Ok(Answer { status: 401 | 403, .. }));
        self.exchange_unless(refused, request).await
    }

    /// The same where `refused` says that what it logged in with was not taken: some receivers say so in another way.
    ///
    /// # Errors
    /// Those of the attempt, and where a secret cannot be had.
    pub async fn exchange_unless<R, F, T>(&self, refused: R, request: F) -> Result<Answer, NoAnswer>
    where
        R: Fn(&Result<Answer, NoAnswer>) -> bool,
        F: FnMut(Vec<SecretString>) -> T,
        T: Future<Output = Result<Answer, NoAnswer>>,
    {
        let mut exchange = self.attempt_unless(refused, request).await;
        match &mut exchange {
            Ok(answer) => self.redact(&mut answer.body),
            Err(none) => self.redact(&mut none.message),
        }
        exchange
    }

    /// Takes the present values out of a text.
    pub fn redact(&self, text: &mut String) {
        for value in self.values().unwrap_or_default() {
            let value = value.expose_secret();
            let path = value.split_once("://").and_then(|(_, rest)| rest.split_once('/')).map(|(_, path)| path);
            for secret in [Some(value), path].into_iter().flatten().filter(|secret| secret.len() >= LEAST_SECRET) {
                if text.contains(secret) {
                    *text = text.replace(secret, REDACTED);
                }
            }
        }
    }

    /// One attempt that is not over HTTP, and a second one where `refused` says that the first failed by what it logged in with.
    ///
    /// # Errors
    /// Those of the attempt, and where a secret cannot be had.
    pub async fn attempt_unless<A, R, F, T>(&self, refused: R, mut attempt: F) -> Result<A, NoAnswer>
    where
        R: Fn(&Result<A, NoAnswer>) -> bool,
        F: FnMut(Vec<SecretString>) -> T,
        T: Future<Output = Result<A, NoAnswer>>,
    {
        let first = attempt(self.values()?).await;
        if refused(&first) && self.reread() { attempt(self.values()?).await } else { first }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::fs;
    use std::fs::File;

    use super::*;

    #[expect(clippy::unnecessary_wraps, reason = "as the client gives it")]
    fn answer(status: u16) -> Result<Answer, NoAnswer> {
        Ok(Answer { status, ..Answer::default() })
    }

    fn words(values: &[SecretString]) -> Vec<String> {
        values.iter().map(|value| value.expose_secret().to_owned()).collect()
    }

    #[tokio::test]
    async fn refused_secrets_of_files_are_read_again_and_tried_once_more() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        fs::write(&path, "old").unwrap();
        let before = fs::metadata(&path).unwrap().modified().unwrap();
        let secrets = Arc::new(Secrets::new(|_| Some("steady".into())));
        let references = [SecretRef::Env("USER".into()), SecretRef::File(path.clone())];
        let credentials = Credentials::new(references, &secrets).unwrap();
        // Same size and time: only a read that is asked for sees it.
        fs::write(&path, "new").unwrap();
        File::options().write(true).open(&path).unwrap().set_modified(before).unwrap();

        let seen = RefCell::new(Vec::new());
        let tried = credentials.attempt(|values| {
            seen.borrow_mut().push(words(&values));
            let status = if words(&values) == ["steady", "new"] { 202 } else { 401 };
            async move { answer(status) }
        });
        assert_eq!(tried.await, answer(202));
        assert_eq!(*seen.borrow(), [["steady", "old"], ["steady", "new"]]);
    }

    #[tokio::test]
    async fn no_second_try_without_a_file_nor_after_another_status_and_never_a_third() {
        let tries = |references: Vec<SecretRef>, status: u16| async move {
            let secrets = Arc::new(Secrets::new(|_| Some("steady".into())));
            let credentials = Credentials::new(references, &secrets).unwrap();
            let count = RefCell::new(0);
            let tried = credentials.attempt(|_| {
                *count.borrow_mut() += 1;
                async move { answer(status) }
            });
            assert_eq!(tried.await, answer(status));
            count.into_inner()
        };
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        fs::write(&path, "x").unwrap();
        assert_eq!(tries(vec![SecretRef::Env("TOKEN".into())], 403).await, 1);
        assert_eq!(tries(vec![SecretRef::File(path.clone())], 500).await, 1);
        assert_eq!(tries(vec![SecretRef::File(path)], 403).await, 2);
    }

    #[tokio::test]
    async fn what_a_receiver_repeats_is_taken_out_of_its_answer() {
        let secrets = Arc::new(Secrets::new(|name| Some(format!("https://hooks.example/T0/{name}"))));
        let credentials = Credentials::new([SecretRef::Env("canary".into())], &secrets).unwrap();
        let body = "no such hook: /T0/canary (https://hooks.example/T0/canary)".to_owned();
        let told =
            credentials.attempt(|_| async { Ok(Answer { status: 404, body: body.clone(), ..Answer::default() }) });
        assert_eq!(told.await.unwrap().body, "no such hook: /[redacted] ([redacted])");
    }

    #[tokio::test]
    async fn a_secret_that_cannot_be_had_is_told_by_its_reference() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        let secrets = Arc::new(Secrets::new(|_| None));
        let references = [SecretRef::File(path.clone())];
        assert!(Credentials::new(references.clone(), &secrets).is_err());
        let credentials = Credentials { references: references.to_vec(), secrets };
        let tried = credentials.attempt(|_| async { answer(200) });
        let none = tried.await.unwrap_err();
        assert!(none.keyless && !none.perhaps_read && none.message.contains("token"), "{none:?}");
        fs::write(&path, "canary").unwrap();
        assert_eq!(words(&credentials.values().unwrap()), ["canary"]);
        fs::remove_file(&path).unwrap();
        assert_eq!(credentials.attempt(|_| async { answer(200) }).await, answer(200), "the last good value stands in");
    }
}
