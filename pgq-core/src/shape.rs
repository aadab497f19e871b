use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::rc::Rc;
use std::sync::Arc;

/// A number for how a type is laid out in a payload, so that a job notices when a type inside of it changes.
///
/// `#[derive(Job)]` implements it for the job. `#[derive(Shape)]` implements it for the structs and enums that jobs
/// hold; where one of those does not, the job's own number knows only its name:
///
/// ```
/// # use pgq_core::{Context, Job, JobResult, Perform, Shape};
/// #[derive(Shape, serde::Serialize, serde::Deserialize)]
/// # #[shape(crate = pgq_core)]
/// struct Address { street: String }
///
/// #[derive(Job)]
/// # #[job(crate = pgq_core)]
/// struct SendParcel { to: Vec<Address> } // another shape when the fields of Address change
/// # impl Perform for SendParcel { async fn perform(&self, _: &Context) -> JobResult { Ok(()) } }
/// ```
///
/// The number is made of the names and types of the fields as they are written, of the `#[serde(..)]` attributes that
/// write them otherwise, and of the numbers of their types. It cannot see into types that derive only serde's traits
/// and into those of other crates, takes any `String`, `Vec`, `Option` and `Box` for the standard library's, and does not
/// see what a function named by `#[serde(with = "..")]` does.
pub trait Shape {
    /// The number.
    const SHAPE: i32;
}

/// Mixes the numbers of a type's parts into its own.
pub const fn mix(own: i32, parts: &[i32]) -> i32 {
    let mut hash = own.cast_unsigned();
    let mut part = 0;
    while part < parts.len() {
        hash = fnv1a(hash, &parts[part].to_le_bytes());
        part += 1;
    }
    hash.cast_signed()
}

const fn of_name(name: &str) -> i32 {
    fnv1a(0x811c_9dc5, name.as_bytes()).cast_signed()
}

/// The 32-bit FNV-1a hash, from that state on.
const fn fnv1a(mut hash: u32, bytes: &[u8]) -> u32 {
    let mut byte = 0;
    while byte < bytes.len() {
        hash = (hash ^ bytes[byte] as u32).wrapping_mul(0x0100_0193);
        byte += 1;
    }
    hash
}

/// Finds the number of a type that may have one: an inherent constant comes before that of a trait.
#[derive(Debug)]
pub struct Probe<T: ?Sized>(std::marker::PhantomData<T>);

impl<T: Shape + ?Sized> Probe<T> {
    /// The type's.
    pub const SHAPE: i32 = T::SHAPE;
}

/// What [`Probe`] says of types without a number.
pub trait NoShape {
    /// None.
    const SHAPE: i32 = 0;
}

impl<T: ?Sized> NoShape for Probe<T> {}

macro_rules! plain {
    ($($name:ident)*) => {
        $(impl Shape for $name {
            const SHAPE: i32 = of_name(stringify!($name));
        })*
    };
}

plain! { bool char u8 u16 u32 u64 u128 usize i8 i16 i32 i64 i128 isize f32 f64 str String }

/// What is made of others.
macro_rules! holders {
    ($($name:literal: $type:ty, $($part:ident ),*;)*) => {
        $(impl<$($part: Shape),*> Shape for $type {
            const SHAPE: i32 = mix(of_name($name), &[$($part::SHAPE),*]);
        })*
    };
}

holders! {
    "option": Option<A>, A;
    "sequence": Vec<A>, A;
    "sequence": VecDeque<A>, A;
    "sequence": BTreeSet<A>, A;
    "map": BTreeMap<A, B>, A, B;
    "result": Result<A, B>, A, B;
    "tuple": (A,), A;
    "tuple": (A, B), A, B;
    "tuple": (A, B, C), A, B, C;
    "tuple": (A, B, C, D), A, B, C, D;
    "tuple": (A, B, C, D, E), A, B, C, D, E;
    "tuple": (A, B, C, D, E, F), A, B, C, D, E, F;
}

impl Shape for () {
    const SHAPE: i32 = of_name("tuple");
}

impl<A: Shape, S> Shape for HashSet<A, S> {
    const SHAPE: i32 = Vec::<A>::SHAPE;
}

impl<A: Shape, B: Shape, S> Shape for HashMap<A, B, S> {
    const SHAPE: i32 = BTreeMap::<A, B>::SHAPE;
}

impl<A: Shape> Shape for [A] {
    const SHAPE: i32 = Vec::<A>::SHAPE;
}

impl<A: Shape, const N: usize> Shape for [A; N] {
    const SHAPE: i32 = mix(of_name("array"), &[A::SHAPE, fnv1a(0, &(N as u64).to_le_bytes()).cast_signed()]);
}

impl<A: Shape + ToOwned + ?Sized> Shape for Cow<'_, A> {
    const SHAPE: i32 = A::SHAPE;
}

macro_rules! pointers {
    ($($pointer:ident)*) => {
        $(impl<A: Shape + ?Sized> Shape for $pointer<A> {
            const SHAPE: i32 = A::SHAPE;
        })*
    };
}

pointers! { Box Rc Arc }
