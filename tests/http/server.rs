//! The real server over the fake service, and a client that asks it.

use std::sync::Arc;

use serde_json::Value;
use slo::http::server::serve;
use slo::telemetry::Telemetry;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::fake::Fake;

/// A running server.
pub struct Server {
    pub address: String,
    pub fake: Arc<Fake>,
    client: reqwest::Client,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<std::io::Result<()>>,
}

/// An answer.
pub struct Answer {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub text: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    /// The code of an error in the one shape; panics where it is not in that shape.
    pub fn code(&self) -> String {
        let json = self.json();
        assert_eq!(keys(&json), ["error"], "{}", self.text);
        assert_eq!(keys(&json["error"]), ["code", "detail", "message"], "{}", self.text);
        assert!(json["error"]["detail"].is_object() && json["error"]["message"].is_string(), "{}", self.text);
        assert_eq!(self.headers["content-type"], "application/json");
        json["error"]["code"].as_str().unwrap().to_owned()
    }
}

impl Server {
    pub async fn start() -> Self {
        Self::of(Fake::default(), "127.0.0.1:0").await
    }

    pub async fn of(fake: Fake, listen: &str) -> Self {
        // Every test installs it; the first one wins.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let listener = TcpListener::bind(listen).await.unwrap();
        let address = format!("127.0.0.1:{}", listener.local_addr().unwrap().port());
        let fake = Arc::new(fake);
        let (stop, stopped) = oneshot::channel();
        let service: Arc<dyn slo::runtime::service::Service> = Arc::clone(&fake) as _;
        let serving = tokio::spawn(serve(service, Telemetry::new("0.0.0"), listener, async {
            let _ = stopped.await;
        }));
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { address, fake, client, stop, serving }
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(self.client.get(self.url(path))).await
    }

    pub async fn post(&self, path: &str, headers: &[(&str, &str)], body: Vec<u8>) -> Answer {
        let mut request = self.client.post(self.url(path)).body(body);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.send(self.client.delete(self.url(path))).await
    }

    /// The address exactly as it stands, without the encoding that a URL library would add.
    pub async fn raw(&self, path: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, body.to_owned())
    }

    pub async fn stop(self) -> std::io::Result<()> {
        self.stop.send(()).unwrap();
        self.serving.await.unwrap()
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Answer {
        let answer = request.send().await.unwrap();
        Answer {
            status: answer.status().as_u16(),
            headers: answer.headers().clone(),
            text: answer.text().await.unwrap(),
        }
    }
}

/// The keys of an object, sorted.
pub fn keys(object: &Value) -> Vec<&str> {
    let mut keys: Vec<&str> = object.as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    keys
}

/// Text as a value in a query or a segment of a path.
pub fn encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}
