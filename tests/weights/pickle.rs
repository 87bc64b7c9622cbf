//! Writers of PyTorch's two file formats, for tests.

use std::io::Write;

use i3d::weights::Tensor;

use super::{Tensors, bytes};

/// A storage: key, class, elements, bytes.
#[derive(Clone)]
pub struct Storage {
    pub key: String,
    pub class: &'static str,
    pub count: usize,
    pub bytes: Vec<u8>,
}

/// A tensor over the storage of that number.
#[derive(Clone)]
pub struct Torch {
    pub name: String,
    pub storage: usize,
    pub view: Option<(usize, usize)>,
    pub offset: usize,
    pub shape: Vec<usize>,
    pub strides: Vec<usize>,
}

/// Who wrote the pickle.
#[derive(Clone, Copy, PartialEq)]
pub enum Style {
    /// Python 2 and PyTorch 0.3: byte strings, list pairs, `_rebuild_tensor`, tensors on a GPU.
    Python2,
    /// Python 3 and PyTorch 0.4 or later: unicode, item opcodes, `_rebuild_tensor_v2`, `_metadata`.
    Python3,
}

/// What is to be saved.
#[derive(Clone)]
pub struct Model {
    pub tensors: Vec<Torch>,
    pub storages: Vec<Storage>,
    pub style: Style,
    /// Keys of dictionaries around the state dict, outermost first.
    pub wrappers: Vec<&'static str>,
    /// What the outermost of them holds besides: keys and pickled values.
    pub beside: Vec<(&'static str, Vec<u8>)>,
    /// Tensors that it holds besides, and dictionaries of tensors.
    pub more: Vec<(&'static str, Vec<Torch>)>,
}

impl Model {
    /// A storage and a contiguous tensor per entry.
    pub fn new(entries: &[(String, Tensor)], style: Style) -> Model {
        let mut model = Model {
            tensors: Vec::new(),
            storages: Vec::new(),
            style,
            wrappers: Vec::new(),
            beside: Vec::new(),
            more: Vec::new(),
        };
        for (name, tensor) in entries {
            model.tensors.push(Torch {
                name: name.clone(),
                storage: model.storages.len(),
                view: None,
                offset: 0,
                shape: tensor.shape.clone(),
                strides: contiguous(&tensor.shape),
            });
            model.storages.push(Storage {
                key: format!("{}", 94_000_000 + model.storages.len()),
                class: "FloatStorage",
                count: tensor.data.len(),
                bytes: bytes(&tensor.data),
            });
        }
        model
    }

    pub fn legacy(&self) -> Vec<u8> {
        let mut file =
            vec![0x80, 2, 0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, b'.'];
        file.extend([0x80, 2, b'M', 0xe9, 3, b'.']);
        let mut system = Pickle::new(2, self.style);
        system.0.extend(b"}(");
        system.text("protocol_version");
        system.int(1001);
        system.text("little_endian");
        system.0.extend(b"\x88u.");
        file.extend(system.0);
        file.extend(self.pickle(2, true));
        let mut keys = Pickle::new(2, self.style);
        let mut sorted: Vec<&Storage> = self.storages.iter().collect();
        sorted.sort_by(|a, b| a.key.cmp(&b.key));
        keys.0.extend(b"](");
        sorted.iter().for_each(|s| keys.text(&s.key));
        keys.0.extend(b"e.");
        file.extend(keys.0);
        for storage in sorted {
            file.extend((storage.count as i64).to_le_bytes());
            file.extend_from_slice(&storage.bytes);
        }
        file
    }

    pub fn zip(&self) -> Vec<u8> {
        let mut entries = vec![
            ("model/data.pkl".to_string(), self.pickle(4, false)),
            ("model/byteorder".to_string(), b"little".to_vec()),
            ("model/version".to_string(), b"3\n".to_vec()),
        ];
        entries.extend(self.storages.iter().map(|s| (format!("model/data/{}", s.key), s.bytes.clone())));
        zip(&entries)
    }

    /// The pickled state dict.
    pub fn pickle(&self, protocol: u8, legacy: bool) -> Vec<u8> {
        let mut p = Pickle::new(protocol, self.style);
        for (depth, wrapper) in self.wrappers.iter().enumerate() {
            p.0.extend(b"}(");
            p.text("epoch");
            p.int(7);
            for (key, value) in self.beside.iter().filter(|_| depth == 0) {
                p.text(key);
                p.0.extend(value);
            }
            for (key, tensors) in self.more.iter().filter(|_| depth == 0) {
                p.text(key);
                match &tensors[..] {
                    [only] if only.name.is_empty() => self.tensor(&mut p, only, legacy),
                    several => {
                        p.0.extend(b"}(");
                        for tensor in several {
                            p.text(&tensor.name);
                            self.tensor(&mut p, tensor, legacy);
                        }
                        p.0.push(b'u');
                    }
                }
            }
            p.text(wrapper);
        }
        p.global("collections", "OrderedDict");
        if self.style == Style::Python2 {
            p.0.extend(b"](");
            for tensor in &self.tensors {
                p.0.extend(b"](");
                p.text(&tensor.name);
                self.tensor(&mut p, tensor, legacy);
                p.0.extend(b"e");
            }
            p.0.extend(b"e\x85R");
        } else {
            p.0.extend(b")Rq\x05(");
            for tensor in &self.tensors {
                p.text(&tensor.name);
                self.tensor(&mut p, tensor, legacy);
            }
            p.0.push(b'u');
            // Attributes: {'_metadata': {'': {'version': 1}}}.
            p.0.push(b'}');
            p.text("_metadata");
            p.0.push(b'}');
            p.text("");
            p.0.push(b'}');
            p.text("version");
            p.0.extend(b"K\x01sssb");
        }
        self.wrappers.iter().for_each(|_| p.0.push(b'u'));
        p.0.push(b'.');
        p.0
    }

    fn tensor(&self, p: &mut Pickle, tensor: &Torch, legacy: bool) {
        let storage = &self.storages[tensor.storage];
        let python_2 = self.style == Style::Python2;
        p.global("torch._utils", if python_2 { "_rebuild_tensor" } else { "_rebuild_tensor_v2" });
        p.0.extend(b"((");
        p.text("storage");
        p.global("torch", storage.class);
        p.text(&storage.key);
        p.text(if python_2 { "cuda:0" } else { "cpu" });
        p.int(storage.count);
        match tensor.view {
            Some((offset, count)) => {
                p.0.push(b'(');
                p.text("view");
                p.int(offset);
                p.int(count);
                p.0.push(b't');
            }
            None if legacy => p.0.push(b'N'),
            None => {}
        }
        p.0.extend(b"tQ");
        p.int(tensor.offset);
        for numbers in [&tensor.shape, &tensor.strides] {
            p.0.push(b'(');
            numbers.iter().for_each(|&n| p.int(n));
            p.0.push(b't');
        }
        if !python_2 {
            p.0.push(0x89);
            p.global("collections", "OrderedDict");
            p.0.extend(b")R");
        }
        p.0.extend(b"tR");
    }
}

/// Every entry stored uncompressed.
pub fn zip(entries: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    for (name, contents) in entries {
        zip.start_file(name.as_str(), options).unwrap();
        zip.write_all(contents).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

pub fn contiguous(shape: &[usize]) -> Vec<usize> {
    (0..shape.len()).map(|axis| shape[axis + 1..].iter().product()).collect()
}

/// State dict entries of a port: its names, its layout, batch-norm weights of one, counters where asked for.
pub fn entries(tensors: &Tensors, column: usize, counters: bool) -> Vec<(String, Tensor)> {
    let names = super::names(column);
    let mut entries = Vec::new();
    for (name, tensor) in tensors {
        let torch = names[name].clone();
        if name.ends_with("/beta") {
            let ones = Tensor { shape: tensor.shape.clone(), data: vec![1.0; tensor.data.len()] };
            entries.push((torch.replace(".bias", ".weight"), ones));
            if counters {
                let zero = Tensor { shape: vec![], data: vec![0.0] };
                entries.push((torch.replace(".bias", ".num_batches_tracked"), zero));
            }
        }
        entries.push((torch, if name.ends_with("/w") { channels_first(tensor) } else { tensor.clone() }));
    }
    entries
}

/// `[kT, kH, kW, Cin, Cout]` to `[Cout, Cin, kT, kH, kW]`, one value after the other.
fn channels_first(tensor: &Tensor) -> Tensor {
    let &[kt, kh, kw, ci, co] = tensor.shape.as_slice() else { panic!("{:?}", tensor.shape) };
    let mut data = Vec::new();
    for o in 0..co {
        for i in 0..ci {
            for tap in 0..kt * kh * kw {
                data.push(tensor.data[(tap * ci + i) * co + o]);
            }
        }
    }
    Tensor { shape: vec![co, ci, kt, kh, kw], data }
}

/// Opcodes, byte by byte.
pub struct Pickle(pub Vec<u8>, Style, u8);

impl Pickle {
    pub fn new(protocol: u8, style: Style) -> Pickle {
        let mut start = vec![0x80, protocol];
        if protocol >= 4 {
            // A frame of any length: readers may ignore it.
            start.extend([0x95, 0xff, 0, 0, 0, 0, 0, 0, 0]);
        }
        Pickle(start, style, protocol)
    }

    pub fn text(&mut self, text: &str) {
        match (self.1, self.2) {
            (Style::Python2, _) => self.0.extend([b'U', text.len() as u8]),
            (_, 4..) => self.0.extend([0x8c, text.len() as u8]),
            _ => {
                self.0.push(b'X');
                self.0.extend((text.len() as u32).to_le_bytes());
            }
        }
        self.0.extend_from_slice(text.as_bytes());
        // Memo opcodes follow nearly every value of a real file.
        self.0.extend(if self.2 >= 4 { &[0x94][..] } else { &[b'q', 1] });
    }

    pub fn int(&mut self, n: usize) {
        match n {
            0..=0xff => self.0.extend([b'K', n as u8]),
            0x100..=0xffff => {
                self.0.push(b'M');
                self.0.extend((n as u16).to_le_bytes());
            }
            _ => {
                self.0.push(b'J');
                self.0.extend((n as i32).to_le_bytes());
            }
        }
    }

    pub fn global(&mut self, module: &str, name: &str) {
        if self.2 >= 4 {
            self.text(module);
            self.text(name);
            self.0.push(0x93);
        } else {
            self.0.extend(format!("c{module}\n{name}\n").bytes());
            self.0.extend([b'r', 9, 1, 0, 0]);
        }
    }
}
