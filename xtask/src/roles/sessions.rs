//! One session of a test through the switchboard.

use std::collections::{HashMap, VecDeque};
use std::io::{self, BufReader, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use super::plan::{Plan, Role};
use super::wire::{ENCRYPT, Message, Startup};

/// Whose an answer is that the server will give.
#[derive(Clone, Copy, PartialEq)]
enum Answer {
    Theirs,
    Ours,
}

/// The answers that are due, in order. The server gives one, with "ready for query" as its end, to every query
/// and every "sync".
type Due = Arc<Mutex<VecDeque<Answer>>>;

/// The way from the client to the server.
pub(super) struct Session {
    plan: Arc<Plan>,
    due: Due,
    /// What is still to be sent.
    bytes: Vec<u8>,
    /// Whose prepared statements are the library's.
    prepared: HashMap<String, Role>,
    /// Whether the server is in a role that it must leave.
    in_role: bool,
    /// Every statement is the runner's.
    is_runner: bool,
}

impl Session {
    /// Passes on what both sides say, on two threads that end with them.
    pub(super) fn start(client: TcpStream, server: TcpStream, plan: Arc<Plan>) {
        thread::spawn(move || {
            let due = Due::default();
            let session = Session {
                plan,
                due: due.clone(),
                bytes: Vec::new(),
                prepared: HashMap::new(),
                in_role: false,
                is_runner: false,
            };
            if let (Ok(to_client), Ok(from_server)) = (client.try_clone(), server.try_clone()) {
                let _ = (client.set_nodelay(true), server.set_nodelay(true));
                let back = thread::spawn(move || answers(&from_server, &to_client, &due));
                // However it ended, the other side is told by the end of its connection.
                let _ = session.requests(&client, &server);
                let _ = server.shutdown(Shutdown::Both);
                let _ = back.join();
            }
        });
    }

    fn requests(mut self, client: &TcpStream, mut server: &TcpStream) -> io::Result<()> {
        let mut from = BufReader::new(client);
        let mut startup = Startup::read(&mut from)?;
        while startup.code == ENCRYPT {
            (&*client).write_all(b"N")?;
            startup = Startup::read(&mut from)?;
        }
        if let Some(application) = startup.application() {
            self.is_runner = application.starts_with("pgq ");
            if self.is_runner {
                self.plan.session();
                startup.set("role", Role::Runner.name());
            }
            self.expect(Answer::Theirs);
        }
        startup.write_to(&mut self.bytes);
        let mut has_roles = self.is_runner;
        loop {
            if from.buffer().is_empty() {
                server.write_all(&self.bytes)?;
                self.bytes.clear();
            }
            let message = Message::read(&mut from)?;
            if !has_roles && message.tag != b'p' {
                let roles = self.plan.roles().to_owned();
                self.say(&roles);
                has_roles = true;
            }
            self.request(&message);
        }
    }

    fn request(&mut self, message: &Message) {
        match message.tag {
            b'P' => {
                let role = self.role(&message.text(1));
                match role {
                    Some(role) => self.prepared.insert(message.text(0), role),
                    None => self.prepared.remove(&message.text(0)),
                };
                self.pass(message);
            }
            b'B' => {
                self.leave();
                if let Some(role) = self.prepared.get(&message.text(1)) {
                    self.enter(*role);
                }
                self.pass(message);
            }
            b'S' => {
                self.pass(message);
                self.expect(Answer::Theirs);
                self.leave();
            }
            b'Q' => self.query(message),
            b'c' | b'f' => {
                self.pass(message);
                self.leave();
            }
            _ => self.pass(message),
        }
    }

    fn query(&mut self, message: &Message) {
        self.leave();
        let sql = message.text(0);
        if let Some(role) = self.role(&sql) {
            self.enter(role);
        }
        match self.plan.after(&sql) {
            Some(grants) => self.pass(&Message::query(&format!("{sql}\n{grants}"))),
            None => self.pass(message),
        }
        self.expect(Answer::Theirs);
        // A copy goes on until the client ends it, or asks for something else since it was refused.
        if !sql.trim_start().starts_with("copy") {
            self.leave();
        }
    }

    fn role(&self, sql: &str) -> Option<Role> {
        if self.is_runner { None } else { self.plan.role(sql) }
    }

    fn enter(&mut self, role: Role) {
        self.say(&format!("set role {}", role.name()));
        self.in_role = true;
    }

    fn leave(&mut self) {
        if self.in_role {
            // Refused in a transaction that failed, whose end undoes the role, too.
            self.say("reset role");
            self.in_role = false;
        }
    }

    fn say(&mut self, sql: &str) {
        Message::query(sql).write_to(&mut self.bytes);
        self.expect(Answer::Ours);
    }

    fn pass(&mut self, message: &Message) {
        message.write_to(&mut self.bytes);
    }

    fn expect(&self, answer: Answer) {
        self.due.lock().unwrap_or_else(PoisonError::into_inner).push_back(answer);
    }
}

/// The way back: all answers but those to us.
fn answers(server: &TcpStream, client: &TcpStream, due: &Due) {
    let mut from = BufReader::new(server);
    let mut bytes = Vec::new();
    let next = |due: &Due| due.lock().unwrap_or_else(PoisonError::into_inner).front().copied();
    while let Ok(message) = Message::read(&mut from) {
        // Notifications and changed settings belong to nobody's query.
        let is_ours = next(due) == Some(Answer::Ours) && !matches!(message.tag, b'A' | b'S');
        if message.tag == b'Z' {
            due.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        }
        if !is_ours {
            message.write_to(&mut bytes);
        }
        if from.buffer().is_empty() {
            if { client }.write_all(&bytes).is_err() {
                break;
            }
            bytes.clear();
        }
    }
    let _ = { client }.shutdown(Shutdown::Both);
}
