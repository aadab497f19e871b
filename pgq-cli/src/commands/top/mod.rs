//! A live view: `sample` asks the database, `view` keeps what is shown and what is chosen, `draw` draws it, `keys` acts.

mod draw;
mod keys;
mod sample;
mod view;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use clap::Args;
use pgq_postgres::Registry;
use pgq_postgres::admin::Admin;
use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event};
use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::{MissedTickBehavior, interval};

use crate::failure::Failure;
use crate::json as tell;
use crate::output::say_json;
use crate::select::duration;
use keys::{After, on_key};
use sample::Sample;
use view::View;

/// How often it looks whether it should end, while no key is pressed.
const KEY_PATIENCE: Duration = Duration::from_millis(100);

#[derive(Debug, Args)]
pub struct Arguments {
    /// How often to ask the database.
    #[arg(long, default_value = "1s", value_name = "TIME", value_parser = duration)]
    every: Duration,
}

pub(crate) async fn run(
    admin: &Admin,
    registry: &Registry,
    arguments: &Arguments,
    json: bool,
) -> Result<(), Failure> {
    let first = Sample::take(admin).await?;
    if json {
        return say_json(&told(&first));
    }
    if !std::io::IsTerminal::is_terminal(&std::io::stdout()) {
        return Err(Failure::usage("top needs a terminal; --json prints what it would show, once"));
    }
    let every = arguments.every.clamp(Duration::from_millis(100), Duration::from_secs(3600));
    let mut terminal = ratatui::try_init()?;
    let ended = watch(&mut terminal, admin, registry, View::new(first), every).await;
    ratatui::restore();
    ended
}

async fn watch(
    terminal: &mut DefaultTerminal,
    admin: &Admin,
    registry: &Registry,
    mut view: View,
    every: Duration,
) -> Result<(), Failure> {
    let mut keys = Keys::listen();
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks.tick().await;
    loop {
        terminal.draw(|frame| draw::draw(frame, &mut view))?;
        tokio::select! {
            _ = ticks.tick() => view.sampled(Sample::take(admin).await),
            event = keys.events.recv() => match event {
                Some(Event::Key(key)) if key.is_press() => match on_key(key, &mut view, admin, registry).await {
                    After::Quit => return Ok(()),
                    After::Look => view.sampled(Sample::take(admin).await),
                    After::Stay => {}
                },
                Some(_) => {}
                None => return Ok(()),
            },
        }
    }
}

/// What the terminal tells, read on a thread of its own, which ends when this is dropped.
struct Keys {
    events: UnboundedReceiver<Event>,
    over: Arc<AtomicBool>,
}

impl Keys {
    fn listen() -> Self {
        let (told, events) = unbounded_channel();
        let over = Arc::new(AtomicBool::new(false));
        let ended = over.clone();
        tokio::task::spawn_blocking(move || {
            while !ended.load(Relaxed) {
                match event::poll(KEY_PATIENCE) {
                    Ok(false) => {}
                    Ok(true) => {
                        let sent = event::read().map(|event| told.send(event));
                        if !matches!(sent, Ok(Ok(()))) {
                            break;
                        }
                    }
                    Err(_) => break,
                }
            }
        });
        Self { events, over }
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        self.over.store(true, Relaxed);
    }
}

fn told(sample: &Sample) -> Value {
    json!({
        "queues": sample.queues.iter().map(tell::queue).collect::<Vec<_>>(),
        "runners": sample.runners.iter().map(tell::runner).collect::<Vec<_>>(),
        "errors": sample.errors.iter().map(tell::error_group).collect::<Vec<_>>(),
    })
}
