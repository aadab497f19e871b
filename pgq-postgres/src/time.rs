use std::time::{Duration, SystemTime};

use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::postgres::types::PgInterval;
use sqlx::postgres::{PgArgumentBuffer, PgHasArrayType, PgTypeInfo, PgValueFormat, PgValueRef};
use sqlx::{Decode, Encode, Postgres, Type};

/// Postgres counts its microseconds from 2000-01-01 UTC.
const POSTGRES_EPOCH: Duration = Duration::from_secs(946_684_800);

/// A `timestamptz`, so that users choose their own crate for times: only `SystemTime` crosses our API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Timestamp(pub(crate) SystemTime);

impl Type<Postgres> for Timestamp {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_name("timestamptz")
    }
}

impl PgHasArrayType for Timestamp {
    fn array_type_info() -> PgTypeInfo {
        PgTypeInfo::with_name("_timestamptz")
    }
}

impl Encode<'_, Postgres> for Timestamp {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        <i64 as Encode<Postgres>>::encode(micros_of(self.0), buffer)
    }
}

impl Decode<'_, Postgres> for Timestamp {
    fn decode(value: PgValueRef<'_>) -> Result<Self, BoxDynError> {
        if value.format() != PgValueFormat::Binary {
            return Err("timestamps are only read in the binary format".into());
        }
        let micros = i64::from_be_bytes(value.as_bytes()?.try_into()?);
        let epoch = SystemTime::UNIX_EPOCH + POSTGRES_EPOCH;
        let distance = Duration::from_micros(micros.unsigned_abs());
        let time = if micros < 0 { epoch.checked_sub(distance) } else { epoch.checked_add(distance) };
        // `infinity`, where the system's clock cannot hold it: one such row must not spoil a whole claim.
        Ok(Self(time.unwrap_or(epoch)))
    }
}

/// A time as Postgres stores it: in microseconds after 2000-01-01 UTC. Beyond 292,000 years it saturates.
pub(crate) fn micros_of(time: SystemTime) -> i64 {
    match time.duration_since(SystemTime::UNIX_EPOCH + POSTGRES_EPOCH) {
        Ok(after) => micros(after),
        Err(before) => -micros(before.duration()),
    }
}

/// A duration in microseconds; beyond 292,000 years it saturates.
pub(crate) fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

/// The interval, cut to whole microseconds; beyond 292,000 years it saturates.
pub(crate) fn interval(duration: Duration) -> PgInterval {
    PgInterval { months: 0, days: 0, microseconds: micros(duration) }
}
