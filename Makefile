# On Debian, all of these need: apt install make python3-venv
#
# make demo   set everything up, then code and decode a clip of speech
# make picture  draw the spectrograms of the README again, with ffmpeg
# make test   set everything up, then run the tests
# make test-quick    only those that take no time: no training, no crowds of processes
# make test-cluster  the tests of --engine ray, which bring Ray's 130 MB
# make clean  remove what either of them made

PYTHON ?= python3
# CPU builds of torch, so that a machine without a GPU is spared gigabytes of CUDA. For a GPU: make demo TORCH_INDEX=
TORCH_INDEX ?= https://download.pytorch.org/whl/cpu

VENV := .venv
PIP := $(VENV)/bin/python -m pip --disable-pip-version-check --quiet install -c constraints.txt

# Where node finds the compiler of the Kaitai description, if it is there.
export NODE_PATH := $(CURDIR)/$(VENV)/kaitai/node_modules

.PHONY: demo picture test test-quick test-cluster clean

demo: $(VENV)/installed
	$(VENV)/bin/melcodec demo --force

picture: demo
	ffmpeg -loglevel error -y -i demo/spectrograms.png -vf "scale=800:-1:flags=area,split[a][b];\
	[a]palettegen=max_colors=48:reserve_transparent=0[p];[b][p]paletteuse=dither=none" man/pictures/spectrograms.png

# The tests start hundreds of processes: each finds its modules compiled, even where the shell forbids to write that down.
test test-quick test-cluster: export PYTHONDONTWRITEBYTECODE =

# One thread a worker, as the tests are many small computations.  An idle worker takes tests from the other's end, so
# that no long one is left at the end; neighbours stay together, which share what they train.
test: $(VENV)/installed-for-tests
	OMP_NUM_THREADS=1 $(VENV)/bin/python -m pytest -q -n 2 --dist worksteal

test-quick: $(VENV)/installed-for-tests
	OMP_NUM_THREADS=1 $(VENV)/bin/python -m pytest -q -n 2 --dist worksteal -m "not slow"

test-cluster: $(VENV)/installed-for-all-tests
	OMP_NUM_THREADS=1 $(VENV)/bin/python -m pytest -q tests/convert/test_ray_engine.py

# The stamps make the second run start at once, and a changed dependency install again.
$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) --no-deps --retries 1 $(addprefix --extra-index-url ,$(TORCH_INDEX)) torch
	$(PIP) -e .
	touch $@

$(VENV)/installed-for-tests: $(VENV)/installed
	$(PIP) -e .[test]
	$(PIP) -e .[train,eval] || echo "no compiler for pesq, webrtcvad and libsvm? the tests that need them will be skipped" >&2
	touch $@

# What some tests are skipped without: Ray, and the compiler of the Kaitai description.
$(VENV)/installed-for-all-tests: $(VENV)/installed-for-tests
	$(PIP) -e .[ray]
	npm install --silent --no-fund --no-audit --prefix $(VENV)/kaitai kaitai-struct-compiler@0.11.0 js-yaml@4.1.0
	touch $@

clean:
	rm -rf $(VENV) build dist demo
