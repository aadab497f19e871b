use pgq_postgres::admin::{Admin, Cancelled, Changed};
use pgq_postgres::{Error, JobId, Registry};
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::view::View;
use crate::commands::job;

/// What follows a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum After {
    Stay,
    /// Something was changed.
    Look,
    Quit,
}

pub(super) async fn on_key(key: KeyEvent, view: &mut View, admin: &Admin, registry: &Registry) -> After {
    view.message.clear();
    let result = match key.code {
        KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => return After::Quit,
        KeyCode::Esc | KeyCode::Char('q') if view.job.is_some() => {
            view.job = None;
            Ok(After::Stay)
        }
        KeyCode::Char('q') => return After::Quit,
        KeyCode::Tab => {
            view.next_pane();
            Ok(After::Stay)
        }
        KeyCode::Down | KeyCode::Char('j') => {
            view.choose(1);
            Ok(After::Stay)
        }
        KeyCode::Up | KeyCode::Char('k') => {
            view.choose(-1);
            Ok(After::Stay)
        }
        KeyCode::Char('p') => pause(view, admin).await,
        KeyCode::Char('r') => retry(view, admin).await,
        KeyCode::Char('x') => cancel(view, admin).await,
        KeyCode::Enter => look(view, admin, registry).await,
        _ => Ok(After::Stay),
    };
    result.unwrap_or_else(|error| {
        view.message = error.to_string();
        After::Stay
    })
}

/// Pauses the chosen queue, or ends its pause.
async fn pause(view: &mut View, admin: &Admin) -> Result<After, Error> {
    let Some((queue, is_paused)) = view.chosen_queue() else {
        view.message = "choose a queue first: Tab".into();
        return Ok(After::Stay);
    };
    if is_paused {
        admin.resume(&queue).await?;
        view.message = format!("queue {queue} goes on");
    } else {
        admin.pause(&queue).await?;
        view.message = format!("queue {queue} is paused");
    }
    Ok(After::Look)
}

async fn retry(view: &mut View, admin: &Admin) -> Result<After, Error> {
    let Some(id) = chosen(view) else { return Ok(After::Stay) };
    view.message = match admin.retry(id).await? {
        Changed::Done => format!("job {id} runs again"),
        Changed::Running => format!("job {id} runs already"),
        Changed::KeyTaken => format!("job {id} is unique, and another one holds its key"),
        _ => format!("job {id} is gone"),
    };
    Ok(After::Look)
}

async fn cancel(view: &mut View, admin: &Admin) -> Result<After, Error> {
    let Some(id) = chosen(view) else { return Ok(After::Stay) };
    view.message = match admin.cancel(id).await? {
        Cancelled::Waiting => format!("job {id} is cancelled"),
        Cancelled::Running => format!("job {id} is told to end"),
        _ => format!("job {id} has come to its end before"),
    };
    Ok(After::Look)
}

async fn look(view: &mut View, admin: &Admin, registry: &Registry) -> Result<After, Error> {
    let Some(id) = chosen(view) else { return Ok(After::Stay) };
    let Some(details) = admin.job(id).await? else {
        view.message = format!("job {id} is gone");
        return Ok(After::Stay);
    };
    let explained = admin.explain(id).await?.map(|explained| explained.text);
    view.job = Some((id, job::render(&details, registry, view.sample.now, explained)));
    Ok(After::Stay)
}

fn chosen(view: &mut View) -> Option<JobId> {
    let job = view.chosen_job();
    if job.is_none() {
        view.message = "choose a job first: Tab".into();
    }
    job
}
