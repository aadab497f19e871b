const _: () = {
    use ::pgq_core as __pgq;
    #[allow(dead_code, non_camel_case_types, non_snake_case, clippy::all)]
    #[derive(__pgq::__private::serde::Serialize, __pgq::__private::serde::Deserialize)]
    #[serde(crate = "__pgq::__private::serde", remote = "Report")]
    struct __PgqShadow;
    #[allow(unused_imports)]
    use __pgq::__private::SerdeMistake as _;
    #[automatically_derived]
    impl __pgq::Shape for Report {
        const SHAPE: i32 = 1415952421i32;
    }
    #[automatically_derived]
    impl __pgq::Job for Report {
        type State = ();
        type Codec = __pgq::__private::DefaultCodec;
        const KIND: &'static str = "report";
        const __PGQ_SCHEDULE: ::core::option::Option<
            &'static __pgq::__private::Declared,
        > = ::core::option::Option::Some(
            &__pgq::__private::Declared {
                cron: "0 9 * * mon-fri",
                timezone: "Europe/Rome",
                missed: __pgq::Missed::All(10u16),
                overlap: __pgq::Overlap::Skip,
                jitter: ::core::time::Duration::new(90u64, 0u32),
                job: || {
                    let __pgq_job: Self = <Report as __pgq::__private::DefaultPayload>::default_payload();
                    __pgq::__private::DeclaredJob::of(&__pgq_job)
                },
            },
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
