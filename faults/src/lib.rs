//! Jobs under load while everything fails that can: processes, connections, the server. Faults come from a
//! [`schedule`] that is a function of a seed. Every process writes a [`history`]; a [`checker`] reads all of them and
//! the tables, and finds what was lost and what ran twice without a reason.

pub mod scenario;
pub mod schedule;

pub mod run;

pub mod disk;
pub mod failover;
pub mod inject;
pub mod load;
pub mod site;
pub mod workers;

pub mod history;
pub mod job;
pub mod refusals;
pub mod timeline;
pub mod worker;

pub mod checker;
pub mod evidence;
pub mod report;
