const _: () = {
    use ::pgq_core as __pgq;
    #[allow(dead_code, non_camel_case_types, non_snake_case, clippy::all)]
    #[derive(__pgq::__private::serde::Serialize, __pgq::__private::serde::Deserialize)]
    #[serde(crate = "__pgq::__private::serde", remote = "Send")]
    struct __PgqShadow {
        user_id: i64,
        #[serde(rename = "secret", with = "text")]
        token: Token,
        #[serde(with = "seconds", default)]
        wait: Duration,
    }
    #[allow(unused_imports)]
    use __pgq::__private::SerdeMistake as _;
    #[allow(dead_code, non_camel_case_types, non_snake_case, clippy::all)]
    #[derive(__pgq::__private::serde::Serialize)]
    #[serde(crate = "__pgq::__private::serde", remote = "Send")]
    struct __PgqMasked {
        user_id: i64,
        #[serde(serialize_with = "__pgq::__private::mask", rename = "secret")]
        token: Token,
        #[serde(with = "seconds", default)]
        wait: Duration,
    }
    #[allow(unused_imports)]
    use __pgq::__private::SerdeMistake as _;
    #[automatically_derived]
    impl __pgq::Shape for Send {
        const SHAPE: i32 = -1275908937i32;
    }
    #[automatically_derived]
    impl __pgq::Job for Send {
        type State = ();
        type Codec = __pgq::__private::DefaultCodec;
        const KIND: &'static str = "send";
        const UNIQUE: ::core::option::Option<__pgq::Unique> = ::core::option::Option::Some(
            __pgq::Unique::while_queued()
                .period(::core::time::Duration::new(3600u64, 0u32))
                .on_conflict(__pgq::OnConflict::Keep),
        );
        fn __pgq_unique_key(
            &self,
        ) -> ::core::result::Result<
            ::core::option::Option<__pgq::UniqueKey>,
            __pgq::PayloadError,
        > {
            #[derive(__pgq::__private::serde::Serialize)]
            #[serde(crate = "__pgq::__private::serde")]
            struct __PgqFields<'__pgq> {
                user_id: &'__pgq i64,
                #[serde(with = "seconds")]
                wait: &'__pgq Duration,
            }
            __pgq::__private::unique_key::<
                Self,
                _,
            >(
                &__PgqFields {
                    user_id: &self.user_id,
                    wait: &self.wait,
                },
            )
        }
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
        const __PGQ_SENSITIVE: bool = true;
        fn __pgq_show<__PgqS: __pgq::__private::serde::Serializer>(
            &self,
            __pgq_serializer: __PgqS,
        ) -> ::core::result::Result<__PgqS::Ok, __PgqS::Error> {
            __PgqMasked::serialize(self, __pgq_serializer)
        }
        fn __pgq_index(
            &self,
        ) -> ::core::result::Result<
            ::core::option::Option<
                __pgq::__private::serde_json::Map<
                    ::std::string::String,
                    __pgq::__private::serde_json::Value,
                >,
            >,
            __pgq::PayloadError,
        > {
            #[derive(__pgq::__private::serde::Serialize)]
            #[serde(crate = "__pgq::__private::serde")]
            struct __PgqFields<'__pgq> {
                user_id: &'__pgq i64,
            }
            __pgq::__private::index::<
                Self,
                _,
            >(
                &__PgqFields {
                    user_id: &self.user_id,
                },
            )
        }
    }
    #[automatically_derived]
    impl ::core::fmt::Debug for Send {
        fn fmt(&self, __pgq_f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
            __pgq_f
                .debug_struct("Send")
                .field("user_id", &self.user_id)
                .field("token", &::core::format_args!("***"))
                .field("wait", &self.wait)
                .finish()
        }
    }
    __pgq::__private::inventory::submit! {
        __pgq::__private::Registration::of:: < Send > ().at(__pgq::__private::SourceLine
        { file : ::core::file!(), line : ::core::line!(), })
    }
};
