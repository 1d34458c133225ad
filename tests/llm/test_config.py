import hydra
import pytest
import yaml
from omegaconf import OmegaConf
from pydantic import TypeAdapter, ValidationError

from schedcp_gym.llm import LlmConfig
from schedcp_gym.paths import CONFIGS
from schedcp_gym.run.configs import open_configs

FILES = sorted((CONFIGS / "llm").glob("*.yaml"))
#: What a user has to give.
GIVEN = {"server": ["llm.model=openai/x", "llm.api_base=http://localhost:8000/v1"]}


def composed(name):
    with open_configs():
        return OmegaConf.to_container(hydra.compose("config", [f"llm={name}", *GIVEN.get(name, [])]).llm, resolve=True)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_file_gives_a_whole_configuration_and_repeats_nothing(path):
    values = composed(path.stem)
    config = TypeAdapter(LlmConfig).validate_python(values)
    assert set(values) == set(LlmConfig.__dataclass_fields__)
    base, own = yaml.safe_load((CONFIGS / "config.yaml").read_text())["llm"], yaml.safe_load(path.read_text())
    assert [key for key in own if key in base and own[key] == base[key]] == []
    defaults = LlmConfig(config.model, api_base=config.api_base, prices=config.prices, seed=config.seed)
    assert config == defaults


@pytest.mark.parametrize("name", ["anthropic", "openai"])
def test_the_price_of_a_configured_model_is_known(name, tmp_path):
    from schedcp_gym.llm.transport import LiteLlm

    config = TypeAdapter(LlmConfig).validate_python(composed(name))
    prices, most = LiteLlm(config).prices, LiteLlm(config).most_tokens
    assert 0 < prices.prompt_usd < prices.completion_usd < 200
    assert most >= config.max_tokens


def test_there_are_files():
    assert {"anthropic", "offline", "ollama", "openai", "server"} <= {path.stem for path in FILES}


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"model": "gpt-5"}, "give provider/model"),
        ({"model": "openai/"}, "give provider/model"),
        ({"api_base": "localhost:8000"}, "give the server's URL"),
        ({"api_base": "http://me:secret@host/v1"}, "no user, password"),
        ({"api_base": "http://host/v1?key=secret"}, "no user, password"),
        ({"api_key_env": "sk-abc123"}, "api_key_env"),
        ({"params": {"api_key": "sk-abc"}}, "it is a secret"),
        ({"params": {"extra_headers": {}}}, "can't be set here"),
        ({"params": {"max_tokens": 3}}, "can't be set here"),
        ({"temperature": 3}, "temperature"),
        ({"retries": -1}, "retries"),
        ({"api_key": "sk-abc"}, "api_key"),
    ],
)
def test_what_is_not_allowed_is_told(values, problem):
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(LlmConfig).validate_python({"model": "openai/x", **values})
    assert problem in str(caught.value)


def test_parameters_of_models_are_allowed():
    assert LlmConfig("openai/gpt-5", params={"reasoning_effort": "high", "top_p": 0.9}).params["top_p"] == 0.9
