//! What a caller sets for a request before it is sent, shared by all kinds of requests.

use std::collections::BTreeMap;

use rethread_core::ids::{CheckpointId, RunId};
use rethread_core::message::{Action, Command, Multitask};
use rethread_core::payload::Payload;
use rethread_core::settings::RunSettings;
use rethread_sdk::trace;
use serde::Serialize;
use tracing::Instrument;
use uuid::Uuid;

use crate::error::{ClientError, Result};
use crate::sizes;
use crate::thread::Thread;

/// The settings of a request. An error of encoding is kept until the request is sent.
#[derive(Debug, Clone)]
pub(crate) struct Draft {
    pub(crate) run: RunId,
    settings: Result<RunSettings>,
    pub(crate) at: Option<CheckpointId>,
    pub(crate) is_lenient: bool,
    pub(crate) multitask: Multitask,
}

impl Draft {
    pub(crate) fn new() -> Self {
        Self {
            run: RunId::from_uuid(Uuid::now_v7()),
            settings: Ok(RunSettings::default()),
            at: None,
            is_lenient: false,
            multitask: Multitask::default(),
        }
    }

    pub(crate) fn set(&mut self, set: impl FnOnce(&mut RunSettings)) {
        if let Ok(settings) = &mut self.settings {
            set(settings);
        }
    }

    /// Encodes a value and puts it where `place` says; `what` names it in an error.
    pub(crate) fn set_value<V: Serialize + ?Sized>(
        &mut self,
        what: &str,
        value: &V,
        place: impl FnOnce(&mut RunSettings, Payload),
    ) {
        if let Ok(settings) = &mut self.settings {
            match Payload::encode(value, what) {
                Ok(value) => place(settings, value),
                Err(error) => self.settings = Err(error.into()),
            }
        }
    }

    /// Sets a limit, of which zero would let nothing happen.
    pub(crate) fn set_limit(
        &mut self,
        setting: &'static str,
        max: u32,
        place: impl FnOnce(&mut RunSettings) -> &mut Option<u32>,
    ) {
        match &mut self.settings {
            Ok(_) if max == 0 => self.settings = Err(ClientError::ZeroLimit { setting }),
            Ok(settings) => *place(settings) = Some(max),
            Err(_) => {}
        }
    }

    pub(crate) fn set_entry<V: Serialize + ?Sized>(
        &mut self,
        what: &str,
        key: String,
        value: &V,
        entries: impl FnOnce(&mut RunSettings) -> &mut BTreeMap<String, Payload>,
    ) {
        let what = format!("{what} `{key}`");
        self.set_value(&what, value, |settings, value| {
            entries(settings).insert(key, value);
        });
    }

    /// Reads the checkpoint that the caller names and sends the command. Gives the run.
    pub(crate) async fn send(self, thread: &Thread, action: Action) -> Result<RunId> {
        let Self { run, settings, at, is_lenient, multitask } = self;
        let span = tracing::info_span!("rethread.run", thread_id = %thread.id(), run_id = %run);
        let mut settings = Box::new(settings?);
        settings.trace = trace::context_of(&span);
        sizes::check(&action, &settings, thread.client().options().payload_bytes_max)?;
        let at = match at {
            Some(at) => Some(Box::new(thread.require_checkpoint(at).await?)),
            None => None,
        };
        let command = Command {
            thread: thread.id().clone(),
            run,
            settings,
            at,
            is_lenient,
            multitask,
            action,
        };
        thread.client().submit(command).instrument(span).await?;
        Ok(run)
    }
}

/// Methods of a request that set what its checkpoints and bodies see. The request has a field
/// `draft`.
macro_rules! describes_itself {
    () => {
        /// Attaches a fact to the run. Bodies may ask for it; the checkpoints that the run makes
        /// show it among their metadata.
        pub fn metadata(
            mut self,
            key: impl Into<String>,
            value: impl Into<$crate::Scalar>,
        ) -> Self {
            let value = value.into();
            self.draft.set_entry("metadata", key.into(), &value, |settings| {
                &mut settings.config.metadata
            });
            self
        }

        /// Gives the bodies of the run a value by name. The checkpoints that the run makes show
        /// texts, numbers and booleans among their metadata.
        pub fn configurable(
            mut self,
            key: impl Into<String>,
            value: impl serde::Serialize,
        ) -> Self {
            self.draft.set_entry("configurable", key.into(), &value, |settings| {
                &mut settings.config.configurable
            });
            self
        }

        /// Adds a word that the bodies of the run see, in `config()` and `run_info()`. Nothing is
        /// found by it: for that there is [`metadata`](Self::metadata).
        pub fn tag(mut self, tag: impl Into<String>) -> Self {
            let tag = tag.into();
            self.draft.set(|settings| settings.config.tags.push(tag));
            self
        }

        /// Chooses the id of the run; a fresh UUID by default.
        ///
        /// A request with the same id on the same thread has its effect once, so a program that
        /// keeps the id may send the request again after a crash of its own: for at least ten
        /// minutes, and for longer while no other run has followed on the thread.
        pub fn run_id(mut self, run: $crate::RunId) -> Self {
            self.draft.run = run;
            self
        }
    };
}

/// The method of a request that may work from an older checkpoint.
macro_rules! names_a_checkpoint {
    () => {
        /// Works from a checkpoint of the thread instead of the newest. It is read when the
        /// request is sent; [`ClientError::CheckpointNotFound`](crate::ClientError) when the
        /// thread has none of this id.
        pub fn at(mut self, checkpoint: $crate::CheckpointId) -> Self {
            self.draft.at = Some(checkpoint);
            self
        }
    };
}

/// Methods of a request that set how its run works.
macro_rules! sets_its_run {
    () => {
        /// Gives the bodies of the run a context object, such as who is asking. It is not kept: a
        /// resume and a retry bring their own.
        pub fn context(mut self, context: impl serde::Serialize) -> Self {
            self.draft.set_value("context of the run", &context, |settings, context| {
                settings.context = Some(context);
            });
            self
        }

        /// Chooses which checkpoints of the run are kept. Results are recorded before anything
        /// follows from them in every mode.
        pub fn durability(mut self, durability: $crate::RunDurability) -> Self {
            self.draft.set(|settings| settings.durability = durability);
            self
        }

        /// Limits how many tasks of the run are queued or running at a time. A task that waits
        /// for calls of its own does not count.
        /// Zero is an error when the request is sent.
        pub fn max_concurrency(mut self, max: u32) -> Self {
            self.draft.set_limit("max_concurrency", max, |settings| &mut settings.max_concurrency);
            self
        }

        /// Limits how many steps of nodes a graph makes in the run; 10,007 if nothing is said. A
        /// run that has something left to do then fails with
        /// [`RECURSION_LIMIT`](rethread_core::failure::kind::RECURSION_LIMIT), and a retry goes
        /// on, with a new count. For other entrypoints it limits how deep calls may be nested.
        /// Zero is an error when the request is sent.
        pub fn recursion_limit(mut self, max: u32) -> Self {
            self.draft.set_limit("recursion_limit", max, |settings| &mut settings.recursion_limit);
            self
        }

        /// Lets the run of a graph pause before each step that runs one of these nodes; `*` stands
        /// for all. They are added to those of the graph itself. The outcome is what the result
        /// would be if the graph ended there, and [`Thread::retry`]($crate::Thread::retry) goes
        /// on. Graphs within the graph do not pause by them.
        pub fn interrupt_before(
            mut self,
            nodes: impl IntoIterator<Item = impl Into<String>>,
        ) -> Self {
            let nodes = nodes.into_iter().map(Into::into);
            self.draft.set(|settings| settings.breakpoints.before.extend(nodes));
            self
        }

        /// The same after each step that ran one of these nodes, if something comes after it.
        pub fn interrupt_after(
            mut self,
            nodes: impl IntoIterator<Item = impl Into<String>>,
        ) -> Self {
            let nodes = nodes.into_iter().map(Into::into);
            self.draft.set(|settings| settings.breakpoints.after.extend(nodes));
            self
        }
    };
}

pub(crate) use {describes_itself, names_a_checkpoint, sets_its_run};
