//! A runner of the fault suite.

fn main() -> anyhow::Result<()> {
    // Handlers that panic as they are told to need not say so.
    std::panic::set_hook(Box::new(|panic| {
        if !panic.to_string().contains("told to panic") {
            eprintln!("{panic}");
        }
    }));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(pgq_faults::worker::run())
}
