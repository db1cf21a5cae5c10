"""What reviews speak of: names found by counting, in two kinds of script, and where each stands."""

from pipeline.models import aspects

ENGLISH = [
    f"The taste is {word}. My order arrived {word}, and the coffee beans are {word}; I love it, really."
    for word in ("good", "bad", "fine", "stale", "fresh", "bland", "nice", "great", "poor", "awful")
] + [f"We walked {n} miles and talked to nobody at all about anything." for n in range(20)]
SAID = ["味道很好，送餐太慢了", "味道不错，送餐很快", "味道很一般，送餐也晚", "送餐非常快，味道太咸"]
CHINESE = SAID * 5 + ["今天下雨，心情一般"] * 40


def test_names_are_what_articles_stand_before_and_no_opinions():
    found = aspects.names(ENGLISH)
    assert {"taste", "order"} <= set(found)
    assert "coffee beans" in found
    assert "beans" not in found
    assert not {"good", "stale", "love", "the", "miles", "walked"} & set(found)


def test_names_in_chinese_are_what_words_of_degree_follow():
    assert aspects.names(CHINESE) == ["味道", "送餐"]


def test_each_aspect_is_mentioned_once_a_text_with_its_clause():
    text = "Well, the Taste is bad! A taste of coffee beans, though."
    found = list(aspects.mentions([text, "nothing"], ["taste", "coffee beans", "coffee"]))
    assert [(one.text, one.aspect, text[one.start : one.stop]) for one in found] == [
        (0, "taste", "Taste"),
        (0, "coffee beans", "coffee beans"),
    ]
    assert [text[slice(*one.clause)] for one in found] == [" the Taste is bad", " A taste of coffee beans"]


def test_little_said_names_nothing():
    assert aspects.names(["the taste is good"]) == []
    assert aspects.names([]) == []
    assert list(aspects.mentions(["the taste"], [])) == []
