//! Time zones, from the data that is built in: what a machine has installed differs from the next one's.

use std::sync::LazyLock;

use jiff::tz::{TimeZone, TimeZoneDatabase};

use crate::CronError;

static BUNDLED: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

/// How like a name must be to be suggested.
const SIMILAR: f64 = 0.8;

pub(crate) fn find(name: &str) -> Result<TimeZone, CronError> {
    BUNDLED
        .get(name)
        .map_err(|_| CronError::Timezone { name: name.chars().take(120).collect(), hint: hint(name) })
}

fn hint(name: &str) -> String {
    let similarity = |known: &str| strsim::jaro_winkler(&name.to_lowercase(), &known.to_lowercase());
    let near = BUNDLED
        .available()
        .map(|known| (similarity(known.as_str()), known))
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .filter(|(similarity, _)| name.len() <= 60 && *similarity > SIMILAR);
    let near = near.map(|(_, near)| format!("did you mean \"{near}\"? ")).unwrap_or_default();
    near + "write a name such as \"Europe/Rome\", \"America/New_York\" or \"UTC\""
}
