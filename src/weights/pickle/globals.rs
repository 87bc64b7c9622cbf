//! The Python names that mean something to this reader, and those that no honest file has.

use std::borrow::Cow;

use super::object::StorageClass;
use crate::weights::cursor::{Problem, short};

/// A function or class that a pickle names. None is ever called: what the known ones would make is built by
/// [`super::calls`], and of all others the name remains.
#[derive(Debug, Clone)]
pub(in crate::weights) enum Global<'a> {
    /// A class of dictionaries.
    Dict,
    /// `torch._utils._rebuild_tensor` and its second version.
    RebuildTensor,
    /// `torch._utils._rebuild_parameter`, with or without state.
    RebuildParameter,
    /// `torch._tensor._rebuild_from_type_v2`, which names another function.
    RebuildFromType,
    /// A storage class such as `FloatStorage`.
    Storage(StorageClass),
    /// NumPy's `_reconstruct`, the start of an array.
    Reconstruct,
    /// NumPy's `_frombuffer`, an array of protocol 5.
    FromBuffer,
    /// JAX's array, which is NumPy's in a wrapper.
    JaxArray,
    /// `numpy.dtype`.
    Dtype,
    /// `ml_dtypes.bfloat16`.
    Bfloat16,
    /// `_codecs.encode`, by which protocol 2 writes bytes as text.
    Encode,
    /// Any other, by its module and its name.
    Other(Box<(Cow<'a, str>, Cow<'a, str>)>),
}

/// What a name means.
///
/// # Errors
/// Names whose only use in a pickle is to run something on the machine of whoever opens it.
pub(super) fn global<'a>(module: Cow<'a, str>, name: Cow<'a, str>) -> Result<Global<'a>, Problem> {
    Ok(match (&*module, &*name) {
        ("collections", "OrderedDict" | "defaultdict" | "Counter")
        | ("builtins" | "__builtin__", "dict")
        | ("flax.core.frozen_dict", "FrozenDict")
        | ("haiku._src.data_structures", "FlatMapping" | "FlatMap") => Global::Dict,
        ("torch._utils", "_rebuild_tensor" | "_rebuild_tensor_v2") => Global::RebuildTensor,
        ("torch._utils", "_rebuild_parameter" | "_rebuild_parameter_with_state") => Global::RebuildParameter,
        ("torch._tensor", "_rebuild_from_type_v2") => Global::RebuildFromType,
        ("numpy.core.multiarray" | "numpy._core.multiarray", "_reconstruct") => Global::Reconstruct,
        ("numpy.core.numeric" | "numpy._core.numeric", "_frombuffer") => Global::FromBuffer,
        ("jax._src.array", "_reconstruct_array") => Global::JaxArray,
        ("numpy", "dtype") => Global::Dtype,
        ("ml_dtypes", "bfloat16") => Global::Bfloat16,
        ("_codecs", "encode") => Global::Encode,
        ("torch" | "torch.storage" | "torch.cuda", class) if StorageClass::named(class).is_some() => {
            StorageClass::named(class).map_or(Global::Dict, Global::Storage)
        }
        (module, name) if runs_something(module, name) => return Err(forbidden(module, name)),
        _ => Global::Other(Box::new((module, name))),
    })
}

/// Whether a name is one that attacks use. Safety does not hang on this list, for nothing is run in any case; it is there
/// to warn whoever might open the file with Python.
fn runs_something(module: &str, name: &str) -> bool {
    const MODULES: &[&str] = &[
        "os",
        "posix",
        "nt",
        "subprocess",
        "sys",
        "importlib",
        "imp",
        "runpy",
        "pty",
        "shutil",
        "socket",
        "webbrowser",
        "ctypes",
        "pickle",
        "_pickle",
        "cPickle",
        "marshal",
        "commands",
        "popen2",
        "pdb",
        "bdb",
        "timeit",
        "pip",
    ];
    const BUILTINS: &[&str] = &[
        "eval",
        "exec",
        "execfile",
        "compile",
        "open",
        "file",
        "input",
        "raw_input",
        "__import__",
        "apply",
        "reload",
        "breakpoint",
        "globals",
        "locals",
        "vars",
        "setattr",
        "delattr",
        "exit",
        "quit",
    ];
    const NAMES: &[(&str, &str)] = &[
        ("io", "open"),
        ("io", "FileIO"),
        ("io", "open_code"),
        ("_io", "open"),
        ("_io", "FileIO"),
        ("_io", "open_code"),
        ("codecs", "open"),
        ("torch", "load"),
        ("torch.serialization", "load"),
        ("torch.hub", "load"),
        ("numpy", "load"),
        ("numpy", "fromfile"),
        ("numpy", "memmap"),
        ("operator", "methodcaller"),
        ("types", "FunctionType"),
        ("types", "CodeType"),
        ("types", "LambdaType"),
        ("logging.config", "listen"),
    ];
    let top = module.split('.').next().unwrap_or(module);
    MODULES.contains(&top)
        || (matches!(module, "builtins" | "__builtin__" | "__builtins__") && BUILTINS.contains(&name))
        || NAMES.contains(&(module, name))
        || (module == "numpy.testing._private.utils" && name == "runstring")
}

/// A sentence about a name that only an attack has.
fn forbidden(module: &str, name: &str) -> Problem {
    format!(
        "names the Python global `{}.{}`, which this reader never runs; weights need none such, and Python would run it: \
         if you trust the file, load it in PyTorch and save only model.state_dict()",
        short(module),
        short(name)
    )
}

impl Global<'_> {
    /// Its name in messages, where it is one that is not known.
    pub fn name(&self) -> Option<String> {
        match self {
            Global::Other(name) => Some(format!("{}.{}", short(&name.0), short(&name.1))),
            _ => None,
        }
    }
}
