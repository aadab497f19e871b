//! The layout of a payload cannot change unnoticed.

use std::panic::AssertUnwindSafe;

use pgq_postgres::{Job, Shape, testing};

/// Two layouts of one version.
mod layouts {
    use super::*;

    #[derive(Job)]
    #[job(kind = "a/b", enqueue_only)]
    pub(super) struct Before {
        pub(super) n: i64,
    }

    #[derive(Job)]
    #[job(kind = "a/b", enqueue_only)]
    pub(super) struct After {
        pub(super) n: i32,
    }

    #[derive(Job)]
    #[job(kind = "a/b", version = 2, upcast_from = Before, enqueue_only)]
    pub(super) struct Next {
        pub(super) n: i32,
    }

    impl TryFrom<Before> for Next {
        type Error = std::num::TryFromIntError;

        fn try_from(before: Before) -> Result<Self, Self::Error> {
            Ok(Self { n: before.n.try_into()? })
        }
    }
}

#[test]
fn a_frozen_layout_cannot_change_without_a_new_version() {
    use layouts::{After, Before, Next};
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let message = |panic: Box<dyn std::any::Any + Send>| *panic.downcast::<String>().unwrap();
    let frozen = |freeze: &dyn Fn()| std::panic::catch_unwind(AssertUnwindSafe(freeze)).map_err(message);
    let ci = std::env::var_os("CI");
    if ci.is_some() {
        let error = frozen(&|| testing::assert_frozen_in(&Before { n: 1 }, folder)).unwrap_err();
        assert!(error.contains("is missing: run this test where CI is not set"), "{error}");
    }
    let line = |n: &str, shape: i32| {
        format!("{{\"kind\":\"a/b\",\"version\":1,\"shape\":{shape},\"payload\":\"{n}\"}}")
    };
    std::fs::write(folder.join("a-b.v1.json"), line("0102", Before::SHAPE)).unwrap();
    frozen(&|| testing::assert_frozen_in(&Before { n: 1 }, folder)).unwrap();
    let error = frozen(&|| testing::assert_frozen_in(&After { n: 1 }, folder)).unwrap_err();
    assert!(error.contains("the layout of a/b has changed and its version is still 1"), "{error}");
    assert!(error.contains("set `version = 2`"), "{error}");
    let error = frozen(&|| testing::assert_frozen_in(&Before { n: 2 }, folder)).unwrap_err();
    assert!(error.contains("then 0102\n  now  0104\n"), "{error}");
    if ci.is_none() {
        frozen(&|| testing::assert_frozen_in(&Next { n: 1 }, folder)).unwrap();
        assert!(std::fs::exists(folder.join("a-b.v2.json")).unwrap());
    }
    // Ten billion is no i32.
    std::fs::write(folder.join("a-b.v1.json"), line("01fd00c817a804000000", Before::SHAPE)).unwrap();
    if ci.is_none() {
        let error = frozen(&|| testing::assert_frozen_in(&Next { n: 1 }, folder)).unwrap_err();
        assert!(error.contains("jobs of version 1 may still wait, and"), "{error}");
    }
}
