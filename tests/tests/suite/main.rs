//! The promises of the main path, each tried on a real Postgres in a database of its own.

mod bad_input;
mod behind_the_floor;
mod cancel;
mod concurrency;
mod connections;
mod crash;
mod death;
mod delivery;
mod enqueue;
mod exactly_once;
mod fencing;
mod history;
mod lost_replies;
mod migrate;
mod partition;
mod pause;
mod poison;
mod queues;
mod retry;
mod schema;
mod shutdown;
mod survive;
mod unreachable;
mod waking;
mod worker;
