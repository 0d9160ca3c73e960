//! Who is let in: tokens against the file that `server.auth` names.
//!
//! A token is `NAME.SECRET`, so that one hash has to be checked, and that of an unknown name none. What a check came to is
//! kept under a keyed hash until the file changes: argon2 is slow on purpose, and a scraper asks every few seconds. The
//! file is looked at with each request, so a line that is taken out ends at once; a file that cannot be read lets nobody
//! in. Guessing: one check at a time, with a pause after one that failed, so that it gets neither the processor nor far.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use argon2::Argon2;
use argon2::password_hash::{PasswordHash, PasswordHasher as _, PasswordVerifier as _, SaltString};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use secrecy::ExposeSecret as _;
use sha2::Sha256;
use tokio::sync::Semaphore;

use crate::clock::random_bytes;
use crate::config::access::{Role, TokenLine, read_tokens};
use crate::config::meant::SecretRef;
use crate::runtime::core::held;
use crate::secret::Secrets;

/// Held after a check that failed.
const PAUSE: Duration = Duration::from_millis(100);
/// Longest wait for a turn; who waits longer is told to come again.
const LONGEST_TURN: Duration = Duration::from_secs(5);
/// Wrong tokens that are remembered, so that a program with an old one costs nothing.
const WRONG_KEPT: usize = 256;
/// Longer secrets are none of ours.
const SECRET_LONGEST: usize = 1_024;

/// What somebody shows.
#[derive(Clone, PartialEq, Eq)]
pub struct Presented {
    /// The part before the last dot, or the user of Basic.
    pub name: String,
    /// The part after it, or the password.
    pub secret: String,
}

impl fmt::Debug for Presented {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Presented").field("name", &self.name).finish_non_exhaustive()
    }
}

/// What follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Admission {
    /// No tokens are configured.
    Open,
    /// A token that holds.
    Known {
        /// Its name.
        name: String,
        /// What it may do.
        role: Role,
    },
    /// None, or one that does not hold.
    Unknown,
    /// Too many are being checked.
    Busy,
}

/// A new token.
#[derive(Clone)]
pub struct Minted {
    /// What its owner sends: `NAME.SECRET`. Shown once, kept nowhere.
    pub token: String,
    /// What stands in the file.
    pub line: String,
}

/// Keyed hash of a token.
type Seal = [u8; 32];

/// Checks tokens.
pub struct Access {
    secrets: Arc<Secrets>,
    key: Seal,
    turn: Semaphore,
    known: Mutex<Known>,
}

/// What the file says, and what came of checks against it.
#[derive(Default)]
struct Known {
    /// Of path and text; `None` before the first look, and while the file cannot be read.
    file: Option<Seal>,
    tokens: HashMap<String, TokenLine>,
    right: HashMap<Seal, (String, Role)>,
    wrong: VecDeque<Seal>,
    /// What was logged last.
    trouble: Option<String>,
}

impl Access {
    /// Nobody is known yet. Where the system gives no random bytes the key is none: then the process' own memory is all
    /// that keeps what was checked.
    #[must_use]
    pub fn new(secrets: Arc<Secrets>) -> Self {
        let key = random_bytes().unwrap_or_default();
        Self { secrets, key, turn: Semaphore::new(1), known: Mutex::default() }
    }

    /// Looks at what is shown. `file`: that of the tokens, where one is configured.
    pub async fn admit(&self, file: Option<&Path>, presented: Option<&Presented>) -> Admission {
        let Some(file) = file else { return Admission::Open };
        let Some(presented) = presented.filter(|shown| shown.secret.len() <= SECRET_LONGEST) else {
            return Admission::Unknown;
        };
        let seal = self.seal(&[presented.name.as_bytes(), presented.secret.as_bytes()]);
        let (of_file, line) = {
            let known = self.read(file);
            if let Some((name, role)) = known.right.get(&seal) {
                return Admission::Known { name: name.clone(), role: *role };
            }
            match known.tokens.get(&presented.name) {
                Some(line) if !known.wrong.contains(&seal) => (known.file, line.clone()),
                _ => return Admission::Unknown,
            }
        };
        let Ok(Ok(_turn)) = tokio::time::timeout(LONGEST_TURN, self.turn.acquire()).await else {
            return Admission::Busy;
        };
        let (hash, secret) = (line.hash.clone(), presented.secret.clone());
        let holds = tokio::task::spawn_blocking(move || verify(&hash, &secret)).await.unwrap_or(false);
        self.keep(of_file, seal, holds.then_some((&line.name, line.role)));
        if holds {
            return Admission::Known { name: line.name, role: line.role };
        }
        tokio::time::sleep(PAUSE).await;
        Admission::Unknown
    }

    /// Keeps what a check came to, unless the file has changed meanwhile.
    fn keep(&self, of_file: Option<Seal>, seal: Seal, right: Option<(&String, Role)>) {
        let mut known = held(&self.known);
        if known.file != of_file {
            return;
        }
        if let Some((name, role)) = right {
            drop(known.right.insert(seal, (name.clone(), role)));
        } else {
            known.wrong.push_back(seal);
            if known.wrong.len() > WRONG_KEPT {
                known.wrong.pop_front();
            }
        }
    }

    /// What the file says now. What is wrong with it is logged when it changes.
    fn read(&self, file: &Path) -> MutexGuard<'_, Known> {
        let text = self.secrets.present(&SecretRef::File(file.to_owned()));
        let mut known = held(&self.known);
        let (seal, text) = match &text {
            Ok(text) => {
                let text = text.expose_secret();
                (Some(self.seal(&[file.as_os_str().as_encoded_bytes(), text.as_bytes()])), text)
            }
            Err(error) => {
                known.tell(format!("nobody is let in: {error}"));
                (None, "")
            }
        };
        if seal.is_none() || known.file != seal {
            let (tokens, problems) = read_tokens(text);
            known.file = seal;
            known.right.clear();
            known.wrong.clear();
            known.tokens = tokens.into_iter().map(|token| (token.name.clone(), token)).collect();
            if seal.is_some() {
                known.trouble = None;
                if !problems.is_empty() {
                    known.tell(format!("lines of the file of tokens are left out: {}", problems.join("; ")));
                }
            }
        }
        known
    }

    fn seal(&self, parts: &[&[u8]]) -> Seal {
        // HMAC takes a key of any length.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.key) else { return Seal::default() };
        for part in parts {
            mac.update(&(part.len() as u64).to_le_bytes());
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }
}

impl Known {
    fn tell(&mut self, trouble: String) {
        if self.trouble.as_ref() != Some(&trouble) {
            tracing::warn!("{trouble}");
            self.trouble = Some(trouble);
        }
    }
}

/// What is wrong with a file of tokens; shows no hash.
#[must_use]
pub fn problems(text: &str) -> Vec<String> {
    let (tokens, mut problems) = read_tokens(text);
    let is_whole = |hash: PasswordHash<'_>| hash.salt.is_some() && hash.hash.is_some();
    let broken = tokens.iter().filter(|token| !PasswordHash::new(&token.hash).is_ok_and(is_whole));
    problems.extend(broken.map(|token| format!("the hash of `{}` is none of argon2", token.name)));
    problems
}

fn verify(hash: &str, secret: &str) -> bool {
    let Ok(hash) = PasswordHash::new(hash) else { return false };
    Argon2::default().verify_password(secret.as_bytes(), &hash).is_ok()
}

/// Makes a token.
///
/// # Errors
/// Where the system gives no random bytes.
pub fn mint(name: &str, role: Role) -> Result<Minted, String> {
    let secret = URL_SAFE_NO_PAD.encode(random_bytes()?);
    let (salt, _) =
        random_bytes()?.split_first_chunk::<16>().map(|(salt, rest)| (*salt, rest.len())).unwrap_or_default();
    let salt = SaltString::encode_b64(&salt).map_err(|error| error.to_string())?;
    let hash = Argon2::default().hash_password(secret.as_bytes(), &salt).map_err(|error| error.to_string())?;
    Ok(Minted { token: format!("{name}.{secret}"), line: format!("{name} {} {hash}", role.name()) })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn presented(token: &str) -> Presented {
        let (name, secret) = token.rsplit_once('.').unwrap();
        Presented { name: name.to_owned(), secret: secret.to_owned() }
    }

    fn known(name: &str, role: Role) -> Admission {
        Admission::Known { name: name.to_owned(), role }
    }

    #[tokio::test]
    async fn a_token_holds_until_its_line_is_taken_out() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("tokens");
        let (bot, anna) = (mint("deploy.bot", Role::Operate).unwrap(), mint("anna", Role::Admin).unwrap());
        fs::write(&file, format!("# ours\n{}\n{}\n", bot.line, anna.line)).unwrap();
        let access = Access::new(Arc::new(Secrets::new(|_| None)));
        let admit = async |token: &str| access.admit(Some(&file), Some(&presented(token))).await;

        assert_eq!(admit(&bot.token).await, known("deploy.bot", Role::Operate));
        assert_eq!(admit(&bot.token).await, known("deploy.bot", Role::Operate));
        assert_eq!(admit(&anna.token).await, known("anna", Role::Admin));
        assert_eq!(held(&access.known).right.len(), 2, "each was checked once");
        let (_, secret) = anna.token.rsplit_once('.').unwrap();
        assert_eq!(admit(&format!("deploy.bot.{secret}")).await, Admission::Unknown, "another's secret");
        assert_eq!(admit(&format!("eve.{secret}")).await, Admission::Unknown);
        assert_eq!(held(&access.known).wrong.len(), 1, "an unknown name is not checked");

        fs::write(&file, format!("{}\n", anna.line)).unwrap();
        assert_eq!(admit(&bot.token).await, Admission::Unknown);
        assert_eq!(admit(&anna.token).await, known("anna", Role::Admin));
        fs::remove_file(&file).unwrap();
        assert_eq!(admit(&anna.token).await, Admission::Unknown, "a file that cannot be read lets nobody in");
        fs::write(&file, format!("{}\n", anna.line)).unwrap();
        assert_eq!(admit(&anna.token).await, known("anna", Role::Admin));
    }

    #[tokio::test]
    async fn without_a_file_all_is_open_and_with_one_nothing_is_nobody() {
        let access = Access::new(Arc::new(Secrets::new(|_| None)));
        assert_eq!(access.admit(None, None).await, Admission::Open);
        assert_eq!(access.admit(Some(Path::new("/nowhere")), None).await, Admission::Unknown);
    }

    #[test]
    fn what_is_shown_and_what_is_kept_do_not_tell_the_secret() {
        let minted = mint("bot", Role::Read).unwrap();
        let (_, secret) = minted.token.rsplit_once('.').unwrap();
        assert!(secret.len() >= 43 && !minted.line.contains(secret));
        assert!(minted.line.starts_with("bot read $argon2id$v=19$"), "{}", minted.line);
        assert!(!format!("{:?}", presented(&minted.token)).contains(secret));
    }
}
