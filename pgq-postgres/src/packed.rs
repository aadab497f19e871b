use std::ops::Range;
use std::sync::Arc;

use sqlx::error::BoxDynError;
use sqlx::postgres::{PgHasArrayType, PgTypeInfo, PgValueFormat, PgValueRef};
use sqlx::{Decode, Postgres, Type};

/// A `bytea[]` as it came, in one piece: a claim of a thousand jobs costs one allocation instead of a
/// thousand.
#[derive(Debug, Clone)]
pub(crate) struct Packed {
    bytes: Arc<[u8]>,
    elements: Vec<Option<Range<usize>>>,
}

/// One element, which keeps the whole alive.
#[derive(Debug, Clone, Default)]
pub(crate) struct Body {
    bytes: Arc<[u8]>,
    range: Range<usize>,
}

impl Packed {
    pub(crate) fn len(&self) -> usize {
        self.elements.len()
    }

    /// The n-th element; none where it is null or there is none.
    pub(crate) fn get(&self, n: usize) -> Option<&[u8]> {
        self.bytes.get(self.elements.get(n)?.clone()?)
    }

    pub(crate) fn body(&self, n: usize) -> Option<Body> {
        let range = self.elements.get(n)?.clone()?;
        Some(Body { bytes: self.bytes.clone(), range })
    }
}

impl Body {
    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.bytes.get(self.range.clone()).unwrap_or_default()
    }
}

impl From<Vec<u8>> for Body {
    fn from(bytes: Vec<u8>) -> Self {
        Self { range: 0..bytes.len(), bytes: bytes.into() }
    }
}

impl Type<Postgres> for Packed {
    fn type_info() -> PgTypeInfo {
        <Vec<u8> as PgHasArrayType>::array_type_info()
    }

    fn compatible(ty: &PgTypeInfo) -> bool {
        *ty == Self::type_info()
    }
}

impl Decode<'_, Postgres> for Packed {
    /// The binary format of arrays: dimensions, a flag, the element's type, then for each dimension its length and
    /// first index, then for each element its length, or -1, and its bytes.
    fn decode(value: PgValueRef<'_>) -> Result<Self, BoxDynError> {
        if value.format() != PgValueFormat::Binary {
            return Err("arrays are only read in the binary format".into());
        }
        let bytes = value.as_bytes()?;
        let number = |at: usize| -> Result<i32, BoxDynError> {
            let four = bytes.get(at..at + 4).ok_or("an array is cut short")?;
            Ok(i32::from_be_bytes(four.try_into()?))
        };
        let size = match number(0)? {
            0 => 0,
            1 => usize::try_from(number(12)?)?,
            dimensions => return Err(format!("an array of {dimensions} dimensions").into()),
        };
        let mut elements = Vec::with_capacity(size.min(bytes.len()));
        let mut at = 20;
        for _ in 0..size {
            let length = usize::try_from(number(at)?).ok();
            at += 4;
            elements.push(length.map(|length| at..at + length));
            at += length.unwrap_or(0);
        }
        if size > 0 && at > bytes.len() {
            return Err("an array is cut short".into());
        }
        Ok(Self { bytes: bytes.into(), elements })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn elements_nulls_and_empty_arrays_are_read_as_they_are() {
        let nothing = async |_: &str| Ok::<(), sqlx::Error>(());
        pgq_devdb::test_database("empty", nothing, async |db| {
            let query =
                "select array['a', null, '', 'bcd']::bytea[], array['\\x00ff', null]::bytea[], '{}'::bytea[]";
            let row: (Packed, Packed, Packed) = sqlx::query_as(query).fetch_one(&db.pool()).await.unwrap();
            let texts: Vec<_> = (0..5).map(|n| row.0.get(n)).collect();
            assert_eq!(texts, [Some(&b"a"[..]), None, Some(b""), Some(b"bcd"), None]);
            assert_eq!(row.0.len(), 4);
            assert_eq!(row.1.body(0).unwrap().as_bytes(), [0, 255]);
            assert!(row.1.body(1).is_none());
            assert_eq!(row.2.len(), 0);
        })
        .await;
    }
}
