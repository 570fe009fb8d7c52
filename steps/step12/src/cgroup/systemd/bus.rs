//! systemd, over D-Bus (org.freedesktop.systemd1(5)).

use std::time::Duration;

use anyhow::{Context, Error, Result, bail, ensure};
use rustbus::connection::Timeout;
use rustbus::connection::ll_conn::force_finish_on_error;
use rustbus::message_builder::{MarshalledMessage, MessageType};
use rustbus::wire::ObjectPath;
use rustbus::{MessageBuilder, RpcConn, standard_messages};

/// Whom to ask, for what, and in which words.
const NAME: &str = "org.freedesktop.systemd1";
const PATH: &str = "/org/freedesktop/systemd1";
const MANAGER: &str = "org.freedesktop.systemd1.Manager";
const PROPERTIES: &str = "org.freedesktop.DBus.Properties";

/// For how long an answer is waited for, and the end of a job.
const PATIENCE: Timeout = Timeout::Duration(Duration::from_secs(30));

/// A list of pairs of texts.
type Pairs = Vec<(String, String)>;
/// Lists have a name of one word, as the macro wants it.
type Numbers = Vec<u32>;
type Bytes = Vec<u8>;
type Texts = Vec<String>;

// The value of a property, of the types that we need.
rustbus::dbus_variant_sig!(
    Value,
    Text => String;
    Flag => bool;
    Number => u64;
    Numbers => Numbers;
    Bytes => Bytes;
    Texts => Texts;
    Pairs => Pairs
);

/// A connection to the bus on which systemd listens.
pub(super) struct Bus(RpcConn);

impl Bus {
    /// To the machine's bus, or to a user's own.
    ///
    /// # Errors
    /// When there is no such bus, or it does not let us in.
    pub(super) fn connect(is_users: bool) -> Result<Bus> {
        let connected = match is_users {
            true => RpcConn::session_conn(PATIENCE),
            false => RpcConn::system_conn(PATIENCE),
        };
        connected.map(Bus).context("connect to systemd's bus")
    }

    /// Starts a unit that is described by its properties alone.
    pub(super) fn start(
        &mut self,
        unit: &str,
        properties: &[(String, Value)],
    ) -> Result<()> {
        let mut call = call("StartTransientUnit");
        call.body.push_param2(unit, "replace")?;
        call.body.push_param(properties)?;
        let others: &[(String, Vec<(String, Value)>)] = &[];
        call.body.push_param(others)?;
        self.job(unit, call)
    }

    pub(super) fn stop(&mut self, unit: &str) -> Result<()> {
        let mut call = call("StopUnit");
        call.body.push_param2(unit, "replace")?;
        self.job(unit, call)
    }

    /// Until the next boot only: the unit lives no longer.
    pub(super) fn change(
        &mut self,
        unit: &str,
        properties: &[(String, Value)],
    ) -> Result<()> {
        let mut call = call("SetUnitProperties");
        call.body.push_param2(unit, true)?;
        call.body.push_param(properties)?;
        self.ask(call).map(drop)
    }

    pub(super) fn reset_failed(&mut self, unit: &str) -> Result<()> {
        let mut call = call("ResetFailedUnit");
        call.body.push_param(unit)?;
        self.ask(call).map(drop)
    }

    /// A property of systemd itself, which is a text.
    pub(super) fn manager_property(&mut self, name: &str) -> Result<String> {
        let mut call = call("Get");
        call.dynheader.interface = Some(PROPERTIES.to_owned());
        call.body.push_param2(MANAGER, name)?;
        let answer = self.ask(call)?;
        match answer.body.parser().get::<Value>()? {
            Value::Text(text) => Ok(text),
            other => bail!("systemd says {other:?} for {name}"),
        }
    }

    /// The answer to such a call is the name of a job, and when that is done a
    /// signal tells: JobRemoved. So the signals are asked for first.
    fn job(&mut self, unit: &str, call: MarshalledMessage) -> Result<()> {
        let rule =
            format!("type='signal',interface='{MANAGER}',member='JobRemoved'");
        self.ask(standard_messages::add_match(&rule))?;
        self.ask(self::call("Subscribe"))?;
        let answer = self.ask(call)?;
        let job: ObjectPath<String> = answer.body.parser().get()?;
        loop {
            let signal = self.0.wait_signal(PATIENCE);
            let signal = signal.context("wait for the end of the job")?;
            if signal.dynheader.member.as_deref() != Some("JobRemoved") {
                continue;
            }
            let mut words = signal.body.parser();
            let (_, of): (u32, ObjectPath<String>) = words.get2()?;
            if of.as_ref() != job.as_ref() {
                continue;
            }
            let (_, result): (String, String) = words.get2()?;
            ensure!(result == "done", "the job of {unit} ended: {result}");
            return Ok(());
        }
    }

    /// Sends a call, and waits for the answer to it.
    fn ask(
        &mut self,
        mut call: MarshalledMessage,
    ) -> Result<MarshalledMessage> {
        let sent = self.0.send_message(&mut call)?;
        let number = sent.write_all().map_err(force_finish_on_error)?;
        let answer = self.0.wait_response(number, PATIENCE)?;
        if answer.typ == MessageType::Error {
            let name = answer.dynheader.error_name.clone().unwrap_or_default();
            let text = answer.body.parser().get::<String>();
            let text = text.unwrap_or_default();
            return Err(Error::new(Refused { name, text }));
        }
        Ok(answer)
    }
}

/// A call of systemd's manager.
fn call(name: &str) -> MarshalledMessage {
    let call = MessageBuilder::new().call(name).with_interface(MANAGER);
    call.on(PATH).at(NAME).build()
}

/// systemd's answer when it does not do what it is asked for.
#[derive(Debug)]
struct Refused {
    name: String,
    text: String,
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({})", self.text, self.name)
    }
}

impl std::error::Error for Refused {}

/// Is this the error, by the last part of its name?
pub(super) fn is(error: &Error, name: &str) -> bool {
    let refused = error.chain().find_map(|it| it.downcast_ref::<Refused>());
    refused.is_some_and(|it| it.name.ends_with(&format!(".{name}")))
}
