//! The few Python names that a checkpoint may use.

use super::storage_type;
use crate::weights::cursor::Problem;

/// The functions and classes that a pickle may name.
#[derive(Debug, Clone)]
pub(super) enum Global<'a> {
    OrderedDict,
    RebuildTensor,
    RebuildParameter,
    /// A storage class such as `FloatStorage`.
    Storage(&'a str),
}

/// The one gate between names in a file and what this program does.
pub(super) fn global<'a>(module: &str, name: &'a [u8]) -> Result<Global<'a>, Problem> {
    let Ok(name) = std::str::from_utf8(name) else {
        return Err(forbidden(module, &String::from_utf8_lossy(name)));
    };
    match (module, name) {
        ("collections", "OrderedDict") => Ok(Global::OrderedDict),
        ("torch._utils", "_rebuild_tensor" | "_rebuild_tensor_v2") => Ok(Global::RebuildTensor),
        ("torch._utils", "_rebuild_parameter") => Ok(Global::RebuildParameter),
        ("torch", class) if storage_type(class).is_some() => Ok(Global::Storage(class)),
        _ => Err(forbidden(module, name)),
    }
}

/// A sentence about a name that is not on the list.
pub(super) fn forbidden(module: &str, name: &str) -> Problem {
    let known = if module.starts_with("torch") || module.starts_with("numpy") {
        "load it in PyTorch and save only model.state_dict()"
    } else {
        "if you trust it, load it in PyTorch and save only model.state_dict()"
    };
    format!(
        "names the Python global `{module}.{name}`, which this reader never runs; weights need none such: {known}"
    )
}
