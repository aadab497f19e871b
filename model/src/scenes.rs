use crate::Protocol;

impl Protocol {
    /// One job, which may snooze.
    #[must_use]
    pub fn one_job(faults: u8) -> Self {
        Self { slots: 1, snoozing: vec![0], faults: Some(faults), ..Self::new(1) }
    }

    /// Two jobs in one lease. Somebody cancels the second one.
    #[must_use]
    pub fn one_lease(faults: u8) -> Self {
        Self { snoozing: vec![0], cancellable: vec![1], faults: Some(faults), ..Self::new(2) }
    }

    /// Two jobs in one lease, and a transactional one in another. Somebody cancels the first one.
    #[must_use]
    pub fn two_leases(faults: u8) -> Self {
        Self {
            max_attempts: vec![2, 1, 1],
            transactional: Some(2),
            cancellable: vec![0],
            faults: Some(faults),
            ..Self::new(3)
        }
    }

    /// Three jobs in one lease, so that it is settled in three parts.
    #[must_use]
    pub fn three_parts(faults: u8) -> Self {
        Self { max_attempts: vec![2, 1, 1], slots: 3, faults: Some(faults), ..Self::new(3) }
    }
}
