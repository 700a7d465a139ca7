"""Questions: asked, shown, answered."""

import pytest

TEXT = "An essay about topic: cat"
QUESTION = {"essay": TEXT, "action": "Please approve/reject the essay"}


def test_a_question_is_shown_everywhere(client, thread):
    result = client.runs.wait(thread, "essay", input="cat")
    [question] = result["__interrupt__"]
    assert question["value"] == QUESTION
    assert len(question["id"]) == 32 and int(question["id"], 16) >= 0
    [run] = client.runs.list(thread)
    assert run["status"] == "success"
    assert client.threads.get(thread)["status"] == "interrupted"
    state = client.threads.get_state(thread)
    assert state["next"] == ["essay"]
    [task] = state["tasks"]
    assert task["name"] == "essay"
    for shown in (task["interrupts"], state["interrupts"]):
        assert [(one["id"], one["value"]) for one in shown] == [(question["id"], QUESTION)]


@pytest.mark.parametrize("answer", [True, False, 0, "", "yes", [1], {"a": {"b": None}}])
def test_any_answer(client, thread, answer):
    client.runs.wait(thread, "essay", input="cat")
    result = client.runs.wait(thread, "essay", command={"resume": answer})
    assert result == {"essay": TEXT, "is_approved": answer}
    assert client.threads.get(thread)["status"] == "idle"
    assert client.threads.get_state(thread)["next"] == []


def test_an_answer_by_id(client, thread):
    [question] = client.runs.wait(thread, "essay", input="cat")["__interrupt__"]
    result = client.runs.wait(thread, "essay", command={"resume": {question["id"]: "ok"}})
    assert result["is_approved"] == "ok"


def test_null_asks_the_same_question_again(client, thread):
    [first] = client.runs.wait(thread, "essay", input="cat")["__interrupt__"]
    [again] = client.runs.wait(thread, "essay", input=None)["__interrupt__"]
    assert again["value"] == first["value"] and again["id"] == first["id"]


def test_new_input_gives_the_question_up(client, thread):
    client.runs.wait(thread, "essay", input="cat")
    [question] = client.runs.wait(thread, "essay", input="dog")["__interrupt__"]
    assert question["value"]["essay"] == "An essay about topic: dog"
    assert client.runs.wait(thread, "accumulate", input=5) == 0
    assert client.threads.get(thread)["interrupts"] == {}


def test_an_answer_with_the_checkpoint_it_was_asked_at(client, thread):
    client.runs.wait(thread, "essay", input="cat")
    checkpoint = client.threads.get_state(thread)["checkpoint"]
    result = client.runs.wait(
        thread,
        "essay",
        command={"resume": True},
        checkpoint={"checkpoint_id": checkpoint["checkpoint_id"], "checkpoint_ns": ""},
    )
    assert result == {"essay": TEXT, "is_approved": True}


@pytest.mark.differs
def test_parallel_questions_are_all_shown_and_answered_by_id(client, thread):
    asked = client.runs.wait(thread, "parallel_interrupts", input=["a", "b", "c"])
    questions = {one["value"]["question"]: one["id"] for one in asked["__interrupt__"]}
    assert questions.keys() == {"a", "b", "c"}
    shown = client.threads.get_state(thread)["interrupts"]
    assert {one["id"] for one in shown} == set(questions.values())
    [by_task] = [sum(client.threads.get(thread)["interrupts"].values(), [])]
    assert {one["id"] for one in by_task} == set(questions.values())

    answers = {id: f"{name}!" for name, id in questions.items()}
    result = client.runs.wait(thread, "parallel_interrupts", command={"resume": answers})
    assert result == ["a=a!", "b=b!", "c=c!"]


@pytest.mark.differs
def test_some_of_the_questions_are_answered(client, thread):
    asked = client.runs.wait(thread, "parallel_interrupts", input=["a", "b"])
    ids = {one["value"]["question"]: one["id"] for one in asked["__interrupt__"]}
    command = {"resume": {ids["b"]: "2"}}
    [left] = client.runs.wait(thread, "parallel_interrupts", command=command)["__interrupt__"]
    assert left["id"] == ids["a"]
    # One is left, so the answer needs no id.
    result = client.runs.wait(thread, "parallel_interrupts", command={"resume": "1"})
    assert result == ["a=1", "b=2"]


@pytest.mark.differs
def test_an_answer_to_nothing_changes_nothing(client, thread):
    client.runs.wait(thread, "accumulate", input=5)
    result = client.runs.wait(thread, "accumulate", command={"resume": True}, raise_error=False)
    assert result == 0 or "__error__" in result
    assert client.runs.wait(thread, "accumulate", input=1) == 5
