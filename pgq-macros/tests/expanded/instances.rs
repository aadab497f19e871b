const _: () = {
    use ::pgq_core as __pgq;
    #[allow(dead_code, non_camel_case_types, non_snake_case, clippy::all)]
    #[derive(__pgq::__private::serde::Serialize, __pgq::__private::serde::Deserialize)]
    #[serde(crate = "__pgq::__private::serde", remote = "Convert < Png >")]
    struct __PgqShadow(Vec<Png>, path::F, Box<Convert<Png>>);
    #[allow(unused_imports)]
    use __pgq::__private::SerdeMistake as _;
    #[automatically_derived]
    impl __pgq::Shape for Convert<Png> {
        const SHAPE: i32 = {
            #[allow(unused_imports)]
            use __pgq::__private::NoShape as _;
            __pgq::__private::mix(
                -1401115966i32,
                &[
                    __pgq::__private::Probe::<Vec<Png>>::SHAPE,
                    __pgq::__private::Probe::<path::F>::SHAPE,
                ],
            )
        };
    }
    #[automatically_derived]
    impl __pgq::Job for Convert<Png> {
        type State = <Png as Format>::State;
        type Codec = Codec<Png>;
        const KIND: &'static str = "png";
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
    const _: () = ::core::assert!(
        __pgq::__private::has_custom_tag:: < Convert < Png > > (),
        "`codec = Codec<Png>`: its `TAG` must be 128 or more, the lower ones are the library's; the library's own codecs are `codec = \"bincode\"` and `codec = \"json\"`"
    );
};
