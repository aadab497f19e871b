//! How the payloads of a type become bytes.

use syn::{Error, Lit, Result, Type};

use crate::attr::Setting;

/// Which codec.
#[derive(Default, Clone)]
pub(crate) enum Codec {
    /// That of pgq-core, which follows its features as this crate does.
    #[default]
    Default,
    Bincode,
    Json,
    /// A user's.
    Custom(Box<Type>),
}

impl Codec {
    /// Whether payloads are known to be values without names.
    pub(crate) fn is_nameless(&self) -> bool {
        match self {
            Self::Default => cfg!(feature = "bincode"),
            Self::Bincode => true,
            Self::Json | Self::Custom(_) => false,
        }
    }
}

pub(super) fn read(setting: &Setting) -> Result<Codec> {
    let Ok(Lit::Str(name)) = syn::parse2(setting.value.clone()) else {
        return Ok(Codec::Custom(Box::new(setting.ty()?)));
    };
    match name.value().as_str() {
        "json" => Ok(Codec::Json),
        "bincode" if cfg!(feature = "bincode") => Ok(Codec::Bincode),
        "bincode" => Err(Error::new_spanned(
            &name,
            "this program is built without the feature `bincode` of pgq: switch it on, or remove `codec`, which makes it \
             JSON",
        )),
        _ => Err(Error::new_spanned(
            &name,
            "there are the codecs \"bincode\" and \"json\"; a codec of your own is a type, without quotes: \
             `codec = MyCodec`",
        )),
    }
}
