//! What processes have used, where `/proc` tells it: on Linux.

use std::time::Duration;

/// What a process and all its children have used, those that ended included.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Usage {
    /// Time of processors.
    pub(crate) cpu: Duration,
    /// The sum of the most memory that each living one ever held, in bytes.
    pub(crate) peak_bytes: u64,
}

/// None where the system does not tell.
#[cfg(not(target_os = "linux"))]
pub(crate) fn of_tree(_: u32) -> Option<Usage> {
    None
}

/// The process and its children; none if there is no such process.
#[cfg(target_os = "linux")]
pub(crate) fn of_tree(root: u32) -> Option<Usage> {
    let root = i32::try_from(root).ok()?;
    let processes = procfs::process::all_processes().ok()?.flatten();
    let table: Vec<_> = processes.filter_map(|process| Some((process.stat().ok()?, process))).collect();
    let mut family = vec![table.iter().position(|(stat, _)| stat.pid == root)?];
    let mut usage = Usage::default();
    // Each process has one parent, so this ends.
    while let Some(member) = family.pop() {
        let (stat, process) = &table[member];
        family.extend((0..table.len()).filter(|n| table[*n].0.ppid == stat.pid));
        // A parent inherits the times of the children that it has seen off.
        let dead = u64::try_from(stat.cutime + stat.cstime).unwrap_or(0);
        let ticks = stat.utime + stat.stime + dead;
        usage.cpu += Duration::from_secs_f64(ticks as f64 / procfs::ticks_per_second() as f64);
        let peak = process.status().ok().and_then(|status| status.vmhwm);
        usage.peak_bytes += peak.unwrap_or(0) * 1024;
    }
    Some(usage)
}

/// What the whole server that this process of its belongs to has used; none if it is on another machine.
#[cfg(target_os = "linux")]
pub(crate) fn of_server(backend: i32) -> Option<Duration> {
    let stat = procfs::process::Process::new(backend).ok()?.stat().ok()?;
    let is_postgres = stat.comm == "postgres";
    is_postgres.then(|| of_tree(u32::try_from(stat.ppid).ok()?)).flatten().map(|usage| usage.cpu)
}

/// None where the system does not tell.
#[cfg(not(target_os = "linux"))]
pub(crate) fn of_server(_: i32) -> Option<Duration> {
    None
}

/// Lets the most memory that this process ever held be what it holds now: preparing is not measured.
pub(crate) fn forget_peak(process: u32) {
    // Where there is no such file, there is no such figure either.
    let _ = std::fs::write(format!("/proc/{process}/clear_refs"), "5");
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn this_process_uses_time_and_memory() {
        let begin = std::time::Instant::now();
        while of_tree(std::process::id()).unwrap().cpu.is_zero() {
            assert!(begin.elapsed() < Duration::from_secs(60));
        }
        assert!(of_tree(std::process::id()).unwrap().peak_bytes > 100_000);
        assert!(of_tree(u32::MAX).is_none());
        assert!(of_server(std::process::id().cast_signed()).is_none(), "this is no Postgres");
    }
}
