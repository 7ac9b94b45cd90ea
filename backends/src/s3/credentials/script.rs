//! A world for the tests of the sources: no network, no files.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use serde_json::Value;

use super::CredentialsLimits;
use super::chain::Chain;
use super::environment::Environment;
use super::outside::{Answer, Ask, Outside, Secret, Unread};
use crate::s3::time::Timestamp;

/// A world that answers as it is told, and notes what it was asked.
#[derive(Default)]
pub(super) struct Script {
    pub(super) files: BTreeMap<String, String>,
    /// What was written to files, or by others while an answer was on its way.
    pub(super) written: RefCell<BTreeMap<String, String>>,
    pub(super) traffic: Vec<Value>,
    pub(super) asked: RefCell<Vec<String>>,
    pub(super) differs: RefCell<Vec<String>>,
    pub(super) loopback: Vec<&'static str>,
    pub(super) now: Cell<u64>,
    pub(super) is_read_only: bool,
}

impl Outside for Script {
    fn now(&self) -> Timestamp {
        Timestamp::from_unix_seconds(self.now.get())
    }

    fn random(&self) -> u64 {
        0
    }

    async fn read(&self, path: &str) -> Result<Secret, Unread> {
        let written = self.written.borrow();
        let text = written.get(path).or_else(|| self.files.get(path)).ok_or(Unread::Missing)?;
        Ok(Secret::new(text.as_bytes().to_vec()))
    }

    async fn replace(&self, path: &str, content: Secret) -> Result<(), String> {
        if self.is_read_only {
            return Err("read-only".to_owned());
        }
        let text = String::from_utf8(content.to_vec()).expect("a text");
        self.written.borrow_mut().insert(path.to_owned(), text);
        Ok(())
    }

    async fn run(&self, command: &str) -> Result<Secret, String> {
        self.files.get(command).map(|text| Secret::new(text.as_bytes().to_vec())).ok_or("no".into())
    }

    async fn ask(&self, ask: Ask) -> Result<Answer, String> {
        let number = self.asked.borrow().len();
        self.asked.borrow_mut().push(ask.url.to_string());
        let Some(expected) = self.traffic.get(number) else { return Err("no route".to_owned()) };
        self.compare(&ask, expected);
        for (path, text) in
            expected.get("meanwhile").and_then(Value::as_object).into_iter().flatten()
        {
            let text = text.as_str().expect("a text").to_owned();
            self.written.borrow_mut().insert(path.clone(), text);
        }
        if expected.get("error").is_some() {
            return Err("connection refused".to_owned());
        }
        let body = expected["body"].as_str().unwrap_or_default();
        let status = expected["status"].as_u64().expect("a status") as u16;
        Ok(Answer { status, body: Secret::new(body.as_bytes().to_vec()) })
    }

    async fn is_loopback(&self, host: &str) -> bool {
        self.loopback.contains(&host)
    }

    async fn pause(&self, _: Duration) {}
}

impl Script {
    fn compare(&self, ask: &Ask, expected: &Value) {
        let mut differs = self.differs.borrow_mut();
        let uri = expected["uri"].as_str().expect("a URI");
        let query = ask.url.target().find('?').map_or("", |at| &ask.url.target()[at..]);
        let asked = format!("{}{query}", ask.url);
        if asked != uri || ask.method.as_str() != expected["method"] {
            differs.push(format!("{} {asked} and not {uri}", ask.method.as_str()));
        }
        if let Some(sent) = expected.get("sent") {
            let document: Value = serde_json::from_slice(&ask.body).unwrap_or_default();
            if document != *sent {
                differs.push(format!("{document} and not {sent}"));
            }
        }
        for (name, value) in
            expected.get("headers").and_then(Value::as_object).into_iter().flatten()
        {
            let sent = ask.headers.iter().find(|(it, _)| it == name).map(|(_, it)| it.as_str());
            if sent != value.as_str() {
                differs.push(format!("{name}: {sent:?} and not {value}"));
            }
        }
    }
}

/// Nothing in the script waits.
pub(super) fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("a script does not wait"),
    }
}

/// A chain with these variables.
pub(super) fn chain(env: &[(&str, &str)]) -> Chain {
    let lookup = |wanted: &str| {
        env.iter().find(|(name, _)| *name == wanted).map(|(_, value)| (*value).to_owned())
    };
    let (env, limits) = (Environment::read(&lookup), CredentialsLimits::default());
    Chain { env, limits, asks_instance: true, profile_first: false }
}
