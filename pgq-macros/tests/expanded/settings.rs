const _: () = {
    use crate::jobs as __pgq;
    #[allow(dead_code, non_camel_case_types, non_snake_case, clippy::all)]
    #[derive(__pgq::__private::serde::Serialize, __pgq::__private::serde::Deserialize)]
    #[serde(crate = "__pgq::__private::serde", remote = "Report")]
    struct __PgqShadow(#[serde(default)] String, Vec<Report>);
    #[allow(unused_imports)]
    use __pgq::__private::SerdeMistake as _;
    #[automatically_derived]
    impl __pgq::Shape for Report {
        const SHAPE: i32 = 35060597i32;
    }
    #[automatically_derived]
    impl __pgq::Job for Report {
        type State = Pair<App, u8>;
        type Codec = __pgq::__private::DefaultCodec;
        const KIND: &'static str = "mail/report";
        const QUEUE: &'static str = "mail";
        const PRIORITY: i16 = -3i16;
        const MAX_ATTEMPTS: i16 = 3i16;
        const RETRY: __pgq::Retry = {
            const __PGQ_WAITS: [::core::time::Duration; 2usize] = [
                ::core::time::Duration::new(60u64, 0u32),
                ::core::time::Duration::new(5400u64, 0u32),
            ];
            __pgq::Retry::Waits(::std::borrow::Cow::Borrowed(&__PGQ_WAITS))
        };
        const TIMEOUT: ::core::option::Option<::core::time::Duration> = ::core::option::Option::Some(
            ::core::time::Duration::new(0u64, 500000000u32),
        );
        fn __pgq_serialize<__PgqS: __pgq::__private::serde::Serializer>(
            &self,
            __pgq_serializer: __PgqS,
        ) -> ::core::result::Result<__PgqS::Ok, __PgqS::Error> {
            __PgqShadow::serialize(self, __pgq_serializer)
        }
        fn __pgq_deserialize<
            '__pgq,
            __PgqD: __pgq::__private::serde::Deserializer<'__pgq>,
        >(__pgq_deserializer: __PgqD) -> ::core::result::Result<Self, __PgqD::Error> {
            __PgqShadow::deserialize(__pgq_deserializer)
        }
    }
    __pgq::__private::inventory::submit! {
        __pgq::__private::Registration::of:: < Report > ()
        .at(__pgq::__private::SourceLine { file : ::core::file!(), line :
        ::core::line!(), })
    }
};
