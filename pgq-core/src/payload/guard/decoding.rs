//! A deserializer within limits. What a codec that describes itself reads by `deserialize_any` gets past them: such a
//! codec has limits of its own.

use std::fmt;

use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error, MapAccess, SeqAccess, VariantAccess, Visitor,
};

use super::{Guarded, Limits};

impl<'de, T: DeserializeSeed<'de>> DeserializeSeed<'de> for Guarded<'_, T> {
    type Value = T::Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<T::Value, D::Error> {
        self.inner.deserialize(Guarded { inner: deserializer, limits: self.limits })
    }
}

/// What holds no other value.
macro_rules! leaves {
    ($($method:ident as $inner:ident ($($argument:ident: $type:ty),*);)*) => {
        $(fn $method<V: Visitor<'de>>(self, $($argument: $type,)* visitor: V) -> Result<V::Value, D::Error> {
            self.inner.$inner($($argument,)* visitor)
        })*
    };
}

/// What holds others, which the visitor then asks for.
macro_rules! levels {
    ($($method:ident($($argument:ident: $type:ty),*) by $visitor:ident;)*) => {
        $(fn $method<V: Visitor<'de>>(self, $($argument: $type,)* visitor: V) -> Result<V::Value, D::Error> {
            let limits = self.limits.deeper().map_err(D::Error::custom)?;
            self.inner.$method($($argument,)* $visitor { inner: visitor, limits })
        })*
    };
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Guarded<'_, D> {
    type Error = D::Error;

    leaves! {
        deserialize_any as deserialize_any();
        deserialize_ignored_any as deserialize_ignored_any();
        deserialize_identifier as deserialize_identifier();
        deserialize_bool as deserialize_bool();
        deserialize_i8 as deserialize_i8();
        deserialize_i16 as deserialize_i16();
        deserialize_i32 as deserialize_i32();
        deserialize_i64 as deserialize_i64();
        deserialize_i128 as deserialize_i128();
        deserialize_u8 as deserialize_u8();
        deserialize_u16 as deserialize_u16();
        deserialize_u32 as deserialize_u32();
        deserialize_u64 as deserialize_u64();
        deserialize_u128 as deserialize_u128();
        deserialize_f32 as deserialize_f32();
        deserialize_f64 as deserialize_f64();
        deserialize_char as deserialize_char();
        deserialize_unit as deserialize_unit();
        deserialize_unit_struct as deserialize_unit_struct(name: &'static str);
        deserialize_str as deserialize_str();
        deserialize_bytes as deserialize_bytes();
        // bincode would allocate whatever length is claimed; what it lends out is there.
        deserialize_string as deserialize_str();
        deserialize_byte_buf as deserialize_bytes();
    }

    levels! {
        deserialize_option() by Guarded;
        deserialize_newtype_struct(name: &'static str) by Guarded;
        deserialize_tuple(len: usize) by Guarded;
        deserialize_tuple_struct(name: &'static str, len: usize) by Guarded;
        deserialize_struct(name: &'static str, fields: &'static [&'static str]) by Guarded;
        deserialize_enum(name: &'static str, variants: &'static [&'static str]) by Guarded;
        deserialize_seq() by Claimed;
        deserialize_map() by Claimed;
    }

    fn is_human_readable(&self) -> bool {
        self.inner.is_human_readable()
    }
}

/// What a codec may offer in place of what was asked for; it holds no other value.
macro_rules! offers {
    ($($method:ident: $type:ty;)*) => {
        $(fn $method<E: Error>(self, value: $type) -> Result<V::Value, E> {
            self.inner.$method(value)
        })*

        fn visit_unit<E: Error>(self) -> Result<V::Value, E> {
            self.inner.visit_unit()
        }
    };
    () => {
        offers! {
            visit_bool: bool;
            visit_i8: i8;
            visit_i16: i16;
            visit_i32: i32;
            visit_i64: i64;
            visit_i128: i128;
            visit_u8: u8;
            visit_u16: u16;
            visit_u32: u32;
            visit_u64: u64;
            visit_u128: u128;
            visit_f32: f32;
            visit_f64: f64;
            visit_char: char;
            visit_str: &str;
            visit_borrowed_str: &'de str;
            visit_string: String;
            visit_bytes: &[u8];
            visit_borrowed_bytes: &'de [u8];
            visit_byte_buf: Vec<u8>;
        }
    };
}

/// The visitor of what has as many parts as its type says.
impl<'de, V: Visitor<'de>> Visitor<'de> for Guarded<'_, V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.expecting(f)
    }

    offers! {}

    fn visit_none<E: Error>(self) -> Result<V::Value, E> {
        self.inner.visit_none()
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<V::Value, D::Error> {
        self.inner.visit_some(Guarded { inner: deserializer, limits: self.limits })
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<V::Value, D::Error> {
        self.inner.visit_newtype_struct(Guarded { inner: deserializer, limits: self.limits })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, access: A) -> Result<V::Value, A::Error> {
        self.inner.visit_seq(Guarded { inner: access, limits: self.limits })
    }

    /// A struct, by the names of its fields.
    fn visit_map<A: MapAccess<'de>>(self, access: A) -> Result<V::Value, A::Error> {
        self.inner.visit_map(Guarded { inner: access, limits: self.limits })
    }

    fn visit_enum<A: EnumAccess<'de>>(self, access: A) -> Result<V::Value, A::Error> {
        self.inner.visit_enum(Guarded { inner: access, limits: self.limits })
    }
}

/// The visitor of what has as many elements as its bytes claim.
struct Claimed<'a, V> {
    inner: V,
    limits: Limits<'a>,
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Claimed<'_, V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.expecting(f)
    }

    offers! {}

    fn visit_seq<A: SeqAccess<'de>>(self, access: A) -> Result<V::Value, A::Error> {
        let Some(count) = access.size_hint() else {
            return self.inner.visit_seq(Counted { inner: access, limits: self.limits });
        };
        self.limits.claim(count).map_err(A::Error::custom)?;
        self.inner.visit_seq(Guarded { inner: access, limits: self.limits })
    }

    fn visit_map<A: MapAccess<'de>>(self, access: A) -> Result<V::Value, A::Error> {
        let Some(count) = access.size_hint() else {
            return self.inner.visit_map(Counted { inner: access, limits: self.limits });
        };
        self.limits.claim(count).map_err(A::Error::custom)?;
        self.inner.visit_map(Guarded { inner: access, limits: self.limits })
    }
}

/// Elements of which nobody says how many there are.
struct Counted<'a, A> {
    inner: A,
    limits: Limits<'a>,
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Counted<'_, A> {
    type Error = A::Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, A::Error> {
        let element = self.inner.next_element_seed(Guarded { inner: seed, limits: self.limits })?;
        self.limits.element().map_err(A::Error::custom)?;
        Ok(element)
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Counted<'_, A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, A::Error> {
        let key = self.inner.next_key_seed(Guarded { inner: seed, limits: self.limits })?;
        self.limits.element().map_err(A::Error::custom)?;
        Ok(key)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, A::Error> {
        self.inner.next_value_seed(Guarded { inner: seed, limits: self.limits })
    }
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Guarded<'_, A> {
    type Error = A::Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, A::Error> {
        self.inner.next_element_seed(Guarded { inner: seed, limits: self.limits })
    }

    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint()
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Guarded<'_, A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, A::Error> {
        self.inner.next_key_seed(Guarded { inner: seed, limits: self.limits })
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, A::Error> {
        self.inner.next_value_seed(Guarded { inner: seed, limits: self.limits })
    }

    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint()
    }
}

impl<'a, 'de, A: EnumAccess<'de>> EnumAccess<'de> for Guarded<'a, A> {
    type Error = A::Error;
    type Variant = Guarded<'a, A::Variant>;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self::Variant), A::Error> {
        let (value, variant) = self.inner.variant_seed(seed)?;
        Ok((value, Guarded { inner: variant, limits: self.limits }))
    }
}

impl<'de, A: VariantAccess<'de>> VariantAccess<'de> for Guarded<'_, A> {
    type Error = A::Error;

    fn unit_variant(self) -> Result<(), A::Error> {
        self.inner.unit_variant()
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, A::Error> {
        self.inner.newtype_variant_seed(Guarded { inner: seed, limits: self.limits })
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, A::Error> {
        self.inner.tuple_variant(len, Guarded { inner: visitor, limits: self.limits })
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, A::Error> {
        self.inner.struct_variant(fields, Guarded { inner: visitor, limits: self.limits })
    }
}
