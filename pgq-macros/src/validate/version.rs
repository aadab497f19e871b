//! Which version of the payload a type writes, and which older ones it reads.

use syn::{Error, Result, Type};

use crate::attr::Setting;

/// The version, and the type of the one before.
pub(crate) struct Version {
    pub(crate) number: i16,
    pub(crate) upcast_from: Option<Type>,
}

/// What the settings say, each by itself.
#[derive(Default)]
pub(super) struct Read<'a> {
    number: Option<i16>,
    upcast_from: Option<(Type, &'a Setting)>,
}

impl<'a> Read<'a> {
    pub(super) fn setting(&mut self, setting: &'a Setting) -> Result<()> {
        match setting.key.to_string().as_str() {
            "version" => self.number = Some(setting.positive()?),
            _ => self.upcast_from = Some((setting.ty()?, setting)),
        }
        Ok(())
    }

    pub(super) fn judged(&self) -> Result<Version> {
        let number = self.number.unwrap_or(1);
        match &self.upcast_from {
            Some((_, setting)) if number == 1 => Err(Error::new_spanned(
                &setting.key,
                "version 1 is the first, so there is none before it: set `version = 2`, or one more than the \
                 version of that type, or remove `upcast_from`",
            )),
            upcast_from => {
                Ok(Version { number, upcast_from: upcast_from.as_ref().map(|(ty, _)| ty.clone()) })
            }
        }
    }
}
