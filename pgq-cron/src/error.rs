use thiserror::Error;

/// Why there can be no such schedule.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CronError {
    /// The text is no cron expression.
    #[error(
        "{text:?} is no cron expression: {reason}; write minute, hour, day of month, month and day of week, such as \
         \"0 9 * * mon-fri\", or six fields with seconds first"
    )]
    Text {
        /// The text, cut to its first 120 characters.
        text: String,
        /// What is wrong with it.
        reason: String,
    },
    /// No day of any year is one of these.
    #[error(
        "{text:?} never comes: no month that it names has such a day; name a day that exists, or \"L\" for the last one of \
         the month"
    )]
    Never {
        /// The text.
        text: String,
    },
    /// There is no such time zone.
    #[error("there is no time zone {name:?}: {hint}")]
    Timezone {
        /// The name, cut to its first 120 characters.
        name: String,
        /// What to write instead.
        hint: String,
    },
}
