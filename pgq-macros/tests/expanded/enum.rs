const _: () = {
    use ::pgq_core as __pgq;
    #[allow(dead_code, non_camel_case_types, non_snake_case, clippy::all)]
    #[derive(__pgq::__private::serde::Serialize, __pgq::__private::serde::Deserialize)]
    #[serde(
        crate = "__pgq::__private::serde",
        remote = "Mail",
        rename_all = "camelCase",
        default = "<Mail as ::core::default::Default>::default"
    )]
    enum __PgqShadow {
        #[serde(rename = "nothing")]
        Nothing,
        To(#[serde(with = "text")] Address, u8),
        Batch { first: i64, #[serde(skip)] r#type: u8 },
    }
    #[allow(unused_imports)]
    use __pgq::__private::SerdeMistake as _;
    #[automatically_derived]
    impl __pgq::Shape for Mail {
        const SHAPE: i32 = -1608330790i32;
    }
    #[automatically_derived]
    impl __pgq::Job for Mail {
        type State = ();
        type Codec = __pgq::__private::DefaultCodec;
        const KIND: &'static str = "mail";
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
        __pgq::__private::Registration::of:: < Mail > ().at(__pgq::__private::SourceLine
        { file : ::core::file!(), line : ::core::line!(), })
    }
};
