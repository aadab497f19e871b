const _: () = {
    use ::pgq_core as __pgq;
    #[allow(dead_code, non_camel_case_types, non_snake_case, clippy::all)]
    #[derive(__pgq::__private::serde::Serialize, __pgq::__private::serde::Deserialize)]
    #[serde(crate = "__pgq::__private::serde", remote = "Send")]
    struct __PgqShadow(i64);
    #[allow(unused_imports)]
    use __pgq::__private::SerdeMistake as _;
    #[automatically_derived]
    impl __pgq::Shape for Send {
        const SHAPE: i32 = -549078131i32;
    }
    #[automatically_derived]
    impl __pgq::Job for Send {
        type State = ();
        type Codec = __pgq::__private::DefaultCodec;
        const KIND: &'static str = "send";
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
};
