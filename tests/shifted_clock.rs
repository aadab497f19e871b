//! Shifts the time of day of the process that loads it first, by CLOCK_SHIFT_S seconds. Not part of any crate: a test
//! compiles it, and nothing else may contain unsafe code.

use std::ffi::{c_int, c_long};

#[repr(C)]
pub struct Timespec {
    seconds: i64,
    nanoseconds: c_long,
}

unsafe extern "C" {
    fn syscall(number: c_long, ...) -> c_long;
    fn getenv(name: *const u8) -> *const u8;
    fn atoll(text: *const u8) -> i64;
}

#[cfg(target_arch = "x86_64")]
const CLOCK_GETTIME: c_long = 228;
#[cfg(not(target_arch = "x86_64"))]
const CLOCK_GETTIME: c_long = 113;

const REALTIME: c_int = 0;

/// # Safety
/// As libc's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn clock_gettime(clock: c_int, time: *mut Timespec) -> c_int {
    unsafe {
        let result = syscall(CLOCK_GETTIME, clock, time);
        let shift = getenv(c"CLOCK_SHIFT_S".as_ptr().cast());
        if result == 0 && clock == REALTIME && !shift.is_null() {
            (*time).seconds += atoll(shift);
        }
        result as c_int
    }
}
