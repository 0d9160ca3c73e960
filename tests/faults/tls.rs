//! Certificates that are not good, over real TLS: tried again, and a person is told at once.
//!
//! The roots of trust are the system's, so this runs in a child whose `SSL_CERT_FILE` is a root made here.
#![expect(clippy::disallowed_methods, reason = "a test may look at the environment")]

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::process::Command;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use slo::clock::Clock;
use slo::store::DeliveryState::Done;
use slo::units::Length;

use crate::house::{Mouth, outcomes, page, receivers, shown};
use crate::sockets::{SPEED, durable, webhook};

/// Set in the child: addresses of a server that is fine, then of the others.
const ADDRESSES: &str = "SLO_TEST_TLS";

/// A server with a certificate for these names, signed by the root or by itself; answers 200 to everything.
fn serve(root: Option<&Issuer<'_, KeyPair>>, name: &str, last_year: i32) -> u16 {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(last_year, 1, 1));
    let certificate = match root {
        Some(root) => params.signed_by(&key, root).unwrap(),
        None => params.self_signed(&key).unwrap(),
    };
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    drop(rustls::crypto::ring::default_provider().install_default());
    let config = rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    let (config, listener) = (Arc::new(config), TcpListener::bind("127.0.0.1:0").unwrap());
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for mut socket in listener.incoming().map_while(Result::ok) {
            let mut tls = rustls::ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut stream = rustls::Stream::new(&mut tls, &mut socket);
            let mut seen = Vec::new();
            let mut chunk = [0; 4096];
            // A body of ours ends in a brace; a client that trusts us not sends none.
            while let Ok(count) = stream.read(&mut chunk) {
                seen.extend_from_slice(&chunk[..count]);
                if count == 0 || seen.ends_with(b"}") {
                    break;
                }
            }
            drop(stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok"));
        }
    });
    port
}

#[test]
fn a_certificate_that_is_not_good_is_tried_again_and_a_person_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    // Not the name that a certificate has by default, or the one that is unknown would pass for signed by this.
    params.distinguished_name.push(rcgen::DnType::CommonName, "a root");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let root_certificate = params.self_signed(&key).unwrap();
    let roots = folder.path().join("roots.pem");
    std::fs::write(&roots, root_certificate.pem()).unwrap();
    let root = Issuer::new(params, key);
    let servers = [
        serve(Some(&root), "localhost", 2090),
        serve(Some(&root), "localhost", 2021),
        serve(None, "localhost", 2090),
        serve(Some(&root), "other.example", 2090),
    ];
    let addresses: Vec<String> = servers.iter().map(|port| format!("https://localhost:{port}/hook")).collect();
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["tls::child_that_delivers", "--exact", "--nocapture"])
        .env("SSL_CERT_FILE", &roots)
        .env_remove("SSL_CERT_DIR")
        .env(ADDRESSES, addresses.join(" "))
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let why = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains("delivered in the child"), "{text}{why}");
}

/// Does nothing unless the test above started it.
#[tokio::test]
async fn child_that_delivers() {
    let Ok(addresses) = std::env::var(ADDRESSES) else { return };
    let folder = tempfile::tempdir().unwrap();
    let (mail, mail_sink) = Mouth::kind(&Clock::accelerated(SPEED)).sink();
    let names = ["fine", "expired", "unknown", "stranger"];
    let mut sinks: Vec<_> = names.into_iter().zip(addresses.split(' ').map(webhook)).collect();
    sinks.push(("mail", mail_sink));
    let house = durable(folder.path(), receivers(&sinks, &["mail"])).await;
    house.fire(&page(1), &names).await;
    let said = [("expired", "expired"), ("unknown", "UnknownIssuer"), ("stranger", "not valid for")];
    let tried = |rows: &[slo::store::Delivery]| {
        let enough = |name: &str| rows.iter().any(|row| row.sink == name && row.attempts.len() >= 3);
        names[1..].iter().all(|name| enough(name)) && rows.iter().any(|row| row.sink == "fine" && row.state == Done)
    };
    let rows = house.until("tried three times", tried).await;
    for (name, words) in said {
        let row = rows.iter().find(|row| row.sink == name).unwrap();
        assert_eq!(outcomes(row)[..2], ["retry"; 2], "{:#?}", shown(&rows));
        let message = row.attempts[0].message.to_lowercase();
        assert!(message.contains("certificate") && message.contains(&words.to_lowercase()), "{name}: {message}");
    }
    // Beside the alarms the page itself, once it has waited a quarter of an hour.
    let is_alarm = |row: &slo::store::Delivery| row.sink == "mail" && row.notification.slo.starts_with("sink/");
    house.until("told", |rows| rows.iter().filter(|row| is_alarm(row) && row.state == Done).count() >= 3).await;
    let told: Vec<_> = mail.told().into_iter().map(|told| (told.slo, told.severity.name())).collect();
    for name in &names[1..] {
        assert!(told.contains(&(format!("sink/{name}"), "ticket")), "{told:?}");
    }
    house.clock.sleep(Length::from_minutes(20)).await;
    let alarms = mail.ids().into_iter().filter(|id| id.starts_with("sink/")).count();
    assert!(alarms <= 6, "once an hour for each sink: {:?}", mail.ids());
    println!("delivered in the child");
}
