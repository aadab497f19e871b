use std::any::type_name;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use thiserror::Error;

use crate::handler::{Around, bind, bind_to};
use crate::payload::people::show;
use crate::payload::stored::layouts;
use crate::schedule::Declared;
use crate::{
    Handler, Job, Kind, Middleware, NameError, PayloadError, Perform, PerformFor, QueueName, Retry, States,
    Stored,
};

/// Where a job type was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[doc(hidden)]
pub struct SourceLine {
    /// `file!()`
    pub file: &'static str,
    /// `line!()`
    pub line: u32,
}

impl fmt::Display for SourceLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// One job type as the runner knows it. The derive submits one for every job linked into the program.
pub struct Registration {
    /// The stable name of the type in the database.
    pub kind: &'static str,
    /// The queue its jobs go to unless told otherwise.
    pub queue: &'static str,
    /// The newest payload version it reads.
    pub version: i16,
    /// How long a job waits after a failed attempt.
    pub retry: Retry,
    /// How long one attempt may take.
    pub timeout: Option<Duration>,
    /// Whether its handler completes jobs in its own transactions.
    pub transactional: bool,
    /// When jobs of it come by themselves.
    #[doc(hidden)]
    pub schedule: Option<&'static Declared>,
    described: fn() -> String,
    state_name: fn() -> &'static str,
    layouts: fn() -> Vec<(i16, i32)>,
    render: fn(Stored<'_>) -> Result<Value, PayloadError>,
    bind: Bind,
    source: Option<SourceLine>,
}

/// A handler, if its state was given.
type Bound = Option<Arc<dyn Handler>>;

/// Binds a handler that was given as a value.
type BindTo = dyn Fn(&States, Around) -> Bound + Send + Sync;

/// How a type comes to its handler.
enum Bind {
    /// It is its own.
    Itself(fn(&States, Around) -> Bound),
    /// A value is.
    To(Box<BindTo>),
}

inventory::collect!(Registration);

impl Registration {
    /// The registration of a type.
    pub const fn of<J: Perform>() -> Self {
        let described = || type_name::<J>().to_owned();
        Self::new::<J>(described, type_name::<<J as Job>::State>, Bind::Itself(bind::<J>))
    }

    /// The registration of a type that another performs.
    pub fn with_handler<J: Job, P: PerformFor<J>>(handler: P) -> Self {
        let handler = Arc::new(handler);
        let bind = move |states: &States, around| bind_to::<J, P>(handler.clone(), states, around);
        let described = || format!("{} performed by {}", type_name::<J>(), type_name::<P>());
        Self::new::<J>(described, type_name::<P::State>, Bind::To(Box::new(bind)))
    }

    const fn new<J: Job>(described: fn() -> String, state_name: fn() -> &'static str, bind: Bind) -> Self {
        Self {
            kind: J::KIND,
            queue: J::QUEUE,
            version: J::VERSION,
            retry: J::RETRY,
            timeout: J::TIMEOUT,
            transactional: J::TRANSACTIONAL,
            schedule: J::__PGQ_SCHEDULE,
            described,
            state_name,
            layouts: layouts::<J>,
            render: |stored| show(&stored.decode::<J>()?),
            bind,
            source: None,
        }
    }

    #[doc(hidden)]
    pub const fn at(mut self, source: SourceLine) -> Self {
        self.source = Some(source);
        self
    }

    /// The Rust type and, if the derive made this, where it was written.
    pub fn described(&self) -> String {
        match self.source {
            Some(source) => format!("{} at {source}", (self.described)()),
            None => (self.described)(),
        }
    }

    /// The payload versions that the type reads with the shape of each, the newest first. Payloads of a codec that
    /// describes itself are read in other shapes, too.
    pub fn reads(&self) -> Vec<(i16, i32)> {
        (self.layouts)()
    }

    /// A payload for people to read: as JSON, of the newest version, with `"***"` for what is `sensitive`.
    ///
    /// # Errors
    /// As [`Stored::decode`].
    pub fn render(&self, stored: Stored<'_>) -> Result<Value, PayloadError> {
        (self.render)(stored)
    }

    /// Binds the type to its state.
    ///
    /// # Errors
    /// The type needs a state that is not among `states`.
    pub fn bind(&self, states: &States) -> Result<Arc<dyn Handler>, RegistryError> {
        self.bind_within(states, &[])
    }

    /// As [`bind`](Self::bind), with middleware around every attempt: the first is the outermost.
    ///
    /// # Errors
    /// As `bind`.
    pub fn bind_within(
        &self,
        states: &States,
        middleware: &[Arc<dyn Middleware>],
    ) -> Result<Arc<dyn Handler>, RegistryError> {
        let bound = match &self.bind {
            Bind::Itself(bind) => bind(states, middleware.into()),
            Bind::To(bind) => bind(states, middleware.into()),
        };
        bound.ok_or_else(|| RegistryError::MissingState { job: self.described(), state: (self.state_name)() })
    }
}

/// The job types that a runner knows, by kind.
#[derive(Default)]
pub struct Registry {
    by_kind: BTreeMap<&'static str, Entry>,
}

enum Entry {
    Linked(&'static Registration),
    Added(Registration),
}

impl Entry {
    fn get(&self) -> &Registration {
        match self {
            Self::Linked(registration) => registration,
            Self::Added(registration) => registration,
        }
    }
}

/// Why a set of job types cannot run.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RegistryError {
    /// Two types have one kind.
    #[error(
        "two job types have the kind {kind:?}: {first} and {second}; rename one, or give it another \
         with #[job(kind = \"..\")]"
    )]
    DuplicateKind {
        /// The kind.
        kind: &'static str,
        /// One type and where it was written.
        first: String,
        /// The other.
        second: String,
    },
    /// A kind or queue is no valid name.
    #[error("{job}: {source}")]
    Name {
        /// The type.
        job: String,
        /// What is wrong.
        source: NameError,
    },
    /// A job type needs a state that the runner was not given.
    #[error("the job {job} needs the state {state}: give it to the runner with .state(..)")]
    MissingState {
        /// The type and where it was written.
        job: String,
        /// The state's type.
        state: &'static str,
    },
}

impl Registry {
    /// Every job linked into this program, those of its dependencies included.
    ///
    /// # Errors
    /// Two types with one kind, or an invalid name.
    pub fn linked() -> Result<Self, RegistryError> {
        let mut registry = Self::default();
        for registration in inventory::iter::<Registration> {
            registry.insert(Entry::Linked(registration))?;
        }
        Ok(registry)
    }

    /// Adds a type by hand.
    ///
    /// # Errors
    /// The kind is taken, or a name is invalid.
    pub fn add<J: Perform>(&mut self) -> Result<(), RegistryError> {
        self.insert(Entry::Added(Registration::of::<J>()))
    }

    /// Adds a type that another performs.
    ///
    /// # Errors
    /// The kind is taken, or a name is invalid.
    pub fn add_handler<J: Job, P: PerformFor<J>>(&mut self, handler: P) -> Result<(), RegistryError> {
        self.insert(Entry::Added(Registration::with_handler::<J, P>(handler)))
    }

    /// A payload of that kind for people to read, as [`Registration::render`]; `None` if no type here has the kind.
    ///
    /// # Errors
    /// As [`Stored::decode`].
    pub fn render(&self, kind: &str, stored: Stored<'_>) -> Option<Result<Value, PayloadError>> {
        self.by_kind.get(kind).map(|entry| entry.get().render(stored))
    }

    /// The types, ordered by kind.
    pub fn iter(&self) -> impl Iterator<Item = &Registration> {
        self.by_kind.values().map(Entry::get)
    }

    /// Whether there is no type at all.
    pub fn is_empty(&self) -> bool {
        self.by_kind.is_empty()
    }

    fn insert(&mut self, entry: Entry) -> Result<(), RegistryError> {
        let new = entry.get();
        let name = |source| RegistryError::Name { job: new.described(), source };
        Kind::new(new.kind).map_err(name)?;
        QueueName::new(new.queue).map_err(name)?;
        if let Some(old) = self.by_kind.get(new.kind) {
            let mut types = [old.get().described(), new.described()];
            types.sort(); // the linker's order is not the reader's
            let [first, second] = types;
            return Err(RegistryError::DuplicateKind { kind: new.kind, first, second });
        }
        self.by_kind.insert(new.kind, entry);
        Ok(())
    }
}
