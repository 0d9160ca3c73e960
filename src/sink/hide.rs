//! Takes secrets out of what a receiver said: error pages repeat addresses, and addresses of webhooks are secrets.

use secrecy::{ExposeSecret as _, SecretString};

use crate::sink::client::{Answer, NoAnswer};

/// Stands in their place.
const HIDDEN: &str = "[hidden]";
/// A shorter part of an address is a common word (`services`), and tells nothing.
const SHORTEST: usize = 9;

/// The exchange without these secrets; of addresses without their parts too.
pub fn hide(exchange: Result<Answer, NoAnswer>, secrets: &[SecretString]) -> Result<Answer, NoAnswer> {
    let clean = |text: String| secrets.iter().fold(text, |text, secret| without(text, secret.expose_secret()));
    match exchange {
        Ok(answer) => Ok(Answer { body: clean(answer.body), ..answer }),
        Err(none) => Err(NoAnswer { message: clean(none.message), ..none }),
    }
}

fn without(text: String, secret: &str) -> String {
    if secret.is_empty() {
        return text;
    }
    let mut text = text.replace(secret, HIDDEN);
    if let Some((_, rest)) = secret.split_once("://") {
        let path = rest.split_once('/').map_or("", |(_, path)| path);
        for part in path.split(['/', '?', '&', '=', '#']).filter(|part| part.len() >= SHORTEST) {
            text = text.replace(part, HIDDEN);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neither_a_secret_nor_a_part_of_a_secret_address_is_left() {
        let secrets = [
            SecretString::from("canary-key"),
            SecretString::from("https://hooks.example/services/T0/canary-path?sig=canary-sig"),
        ];
        let body = "no canary-key at /services/T0/canary-path?sig=canary-sig".to_owned();
        let exchange = hide(Ok(Answer { status: 404, body, ..Answer::default() }), &secrets);
        assert_eq!(exchange.unwrap().body, "no [hidden] at /services/T0/[hidden]?sig=[hidden]");
        let message = "canary-key".to_owned();
        let none = hide(Err(NoAnswer { perhaps_read: true, unusable: false, keyless: false, message }), &secrets);
        assert_eq!(none.unwrap_err().message, "[hidden]");
    }
}
