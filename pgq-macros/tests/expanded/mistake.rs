::core::compile_error! {
    "\"not valid\" is not a valid kind: use 1 to 100 of a-z, A-Z, 0-9, '_', '-', '.', ':' and '/'"
}
::core::compile_error! {
    "unknown setting `retry`: did you mean `retry_waits`? the settings are `kind`, `queue`, `priority`, `state`, `retry_waits`, `backoff`, `max_attempts`, `timeout`, `transactional`, `codec`, `sensitive`, `index`, `unique`, `version`, `upcast_from`, `cron`, `timezone`, `payload`, `missed`, `overlap`, `jitter`, `enqueue_only`, `instances`, `crate`"
}
::core::compile_error! {
    "a job outlives the code that enqueues it, so it owns its data: remove the lifetime, and write `String` for `&str`, `Vec<T>` for `&[T]` and `T` for `&T`"
}
const _: () = {
    use ::pgq_core as __pgq;
    #[automatically_derived]
    impl<'a, T: Copy> __pgq::Shape for Borrowed<'a, T>
    where
        T: Clone,
        Self: ::core::marker::Send + ::core::marker::Sync + 'static,
    {
        const SHAPE: i32 = 0;
    }
    #[automatically_derived]
    impl<'a, T: Copy> __pgq::Job for Borrowed<'a, T>
    where
        T: Clone,
        Self: ::core::marker::Send + ::core::marker::Sync + 'static,
    {
        type State = App;
        type Codec = __pgq::__private::DefaultCodec;
        const KIND: &'static str = "";
        fn __pgq_serialize<__PgqS: __pgq::__private::serde::Serializer>(
            &self,
            _: __PgqS,
        ) -> ::core::result::Result<__PgqS::Ok, __PgqS::Error> {
            ::core::unreachable!()
        }
        fn __pgq_deserialize<
            '__pgq,
            __PgqD: __pgq::__private::serde::Deserializer<'__pgq>,
        >(_: __PgqD) -> ::core::result::Result<Self, __PgqD::Error> {
            ::core::unreachable!()
        }
    }
};
