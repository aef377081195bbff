"""Files that hold images in a form that is not read, and what to do with each."""

from __future__ import annotations

import os

from stylegan.images.read import CONVERTIBLE, convert_first

_TO_PNG = "convert it to PNG"
_AS_PNG = "save its images as PNG files, in one folder per class if it has labels"
_VIDEO = "it is a video; save its frames as images, for example with `ffmpeg -i VIDEO FOLDER/%06d.png`"
_PICKLE = f"it holds pickled objects, which can run code; {_AS_PNG}"
_ARCHIVE = "it is an archive; give it as the source itself, or unpack it"
_UNREAD_ARCHIVE = "it is an archive that is not read; unpack it and give the folder"
_LMDB = "it is an LMDB database; export its images as files (LSUN: `python data.py export`) and give their folder"

_CLAUSES = {  # by extension, about "it"
    **dict.fromkeys((".mp4", ".mov", ".avi", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg"), _VIDEO),
    **dict.fromkeys((".svg", ".eps", ".ai", ".pdf"), f"it is a drawing or a document; {_TO_PNG}"),
    **dict.fromkeys((".xcf", ".kra"), f"it is the file of an image editor; {_TO_PNG}"),
    **dict.fromkeys(
        (".exr", ".hdr", ".pfm"), "it is an image of high dynamic range; convert it to PNG of 8 or 16 bits"
    ),
    **dict.fromkeys((".tga", ".dcm", ".ico", ".dds"), f"it is an image in a format that is not read; {_TO_PNG}"),
    **dict.fromkeys((".zip", ".tar", ".tgz", ".tbz2", ".txz"), _ARCHIVE),
    **dict.fromkeys((".rar", ".7z", ".zst"), _UNREAD_ARCHIVE),
    **dict.fromkeys((".npz", ".npy"), f"it holds NumPy arrays; {_AS_PNG}"),
    ".mat": f"it holds MATLAB arrays; read them with `scipy.io.loadmat`, then {_AS_PNG}",
    ".parquet": f"it is a Parquet table; read it with `datasets.load_dataset`, then {_AS_PNG}",
    ".arrow": f"it is an Arrow table; read it with `datasets.load_from_disk`, then {_AS_PNG}",
    **dict.fromkeys((".h5", ".hdf5"), f"it holds HDF5 arrays; read them with `h5py`, then {_AS_PNG}"),
    **dict.fromkeys((".pkl", ".pickle", ".pt", ".pth"), _PICKLE),
    **dict.fromkeys((".mdb", ".lmdb"), _LMDB),
    ".tfrecord": f"it holds records of TensorFlow; read them with `tf.data.TFRecordDataset`, then {_AS_PNG}",
}


def known_unread(name: str) -> str | None:
    """Return what a file is by its extension and what to do with it, a clause about "it"; None if unknown."""
    extension = os.path.splitext(name)[1].lower()
    return convert_first(CONVERTIBLE[extension]) if extension in CONVERTIBLE else _CLAUSES.get(extension)


def why_no_image(name: str) -> str:
    """Return the reason why a file is not read as an image by its name, a clause about "it"."""
    return known_unread(name) or f"it is not an image ({os.path.splitext(name)[1].lower() or 'no extension'})"
