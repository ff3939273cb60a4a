# Two commands for a fresh machine with Python 3.11 or later, git and make: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO_TASK := ecd-fcc/k_vrh
DEMO_MODELS := mean knn-composition composition-forest density-forest pixel-ridge fourier-gpr
# Seconds matter in a demo; drop the two settings for the paper's training.
DEMO_CNN := --set max_epochs=20 --set patience=7

.PHONY: demo test lint perf clean

demo: $(VENV)/.installed-demo
	@for model in $(DEMO_MODELS); do $(BIN)/ecdbench evaluate $$model --task $(DEMO_TASK) --quiet || exit 1; done
	@$(BIN)/ecdbench evaluate scratch-cnn --task $(DEMO_TASK) $(DEMO_CNN) --quiet
	@$(BIN)/ecdbench leaderboard runs --task $(DEMO_TASK)

test: $(VENV)/.installed-dev
	@# One thread per worker: two cores are enough. Compiled modules are kept, since the tests start hundreds of processes.
	PYTHONDONTWRITEBYTECODE= OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	@# The repository root is the package, so mypy sees it under its import name through a link.
	@mkdir -p $(VENV)/typing && ln -sfn $(CURDIR) $(VENV)/typing/ecdbench
	cd $(VENV)/typing && MYPYPATH=. ../bin/mypy --config-file $(CURDIR)/pyproject.toml \
		-p ecdbench.benchmark -p ecdbench.tasks -p ecdbench.baselines -p ecdbench.submissions -p ecdbench.leaderboard \
		-p ecdbench.cli -m ecdbench -m ecdbench.api -m ecdbench.__main__

# Measurements, printed as ratios; needs the sfe data, the raw ecd-fcc folder, and Keras for one of them.
perf: $(VENV)/.installed-dev
	$(BIN)/python tests/perf/run.py

$(BIN)/uv:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check uv

$(VENV)/.installed-demo: $(BIN)/uv pyproject.toml constraints.txt
	$(BIN)/uv pip install --quiet --python $(BIN)/python -c constraints.txt -e '.[torch,plots]'
	@touch $@

$(VENV)/.installed-dev: $(BIN)/uv pyproject.toml constraints.txt
	$(BIN)/uv pip install --quiet --python $(BIN)/python -c constraints.txt -e '.[all,dev]'
	@touch $@

clean:
	rm -rf $(VENV) build dist *.egg-info
