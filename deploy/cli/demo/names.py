"""Names for invented people and schools. Nobody is meant."""


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


GIVEN = _words(
    """
    Aaliyah Aaron Abdi Abel Ada Adam Adele Agnes Ahmed Aiko Aisha Alan Alba Alejandro Ali Alice Alma Amara Amina Amir
    Ana Anders Andre Anh Anika Anton Anya Arjun Arthur Asha Astrid Aurora Ayesha Bao Beatriz Ben Bianca Bo Bruno
    Camila Carla Carlos Carmen Cecilia Chen Chidi Chloe Clara Daniel Daria Dario David Deepa Diego Dina Diya Dmitri
    Dora Eduardo Elena Eli Elif Elijah Elsa Emeka Emil Emma Enzo Esther Ethan Eva Ezra Farah Fatima Felix Femi
    Fernando Flora Frida Gabriel Gemma George Grace Greta Hana Hannah Hassan Hector Heidi Helen Hiro Hugo Ian Ibrahim
    Ida Ines Ingrid Irene Isaac Isabel Ismail Ivan Jada Jamal James Jana Jasmine Javier Jaya Jelena Jin Joaquin Joel
    Jonah Josefa Joy Juan Julia Kai Karim Kavya Keiko Kemal Kenji Kim Kofi Kwame Laila Lars Laura Leah Leila Leo Leon
    Lian Lila Lin Linh Lucas Lucia Luis Luka Lydia Maeve Malik Manuel Mara Marco Maria Marisol Marta Mateo Maya Mei
    Mila Mina Minh Miriam Mohamed Mona Nadia Naomi Natalia Nia Nico Nils Nina Noah Nora Nuria Olga Oliver Omar Oscar
    Otto Pablo Paola Paula Pedro Petra Pia Priya Quinn Rafael Ravi Rebecca Renata Rosa Ruben Ruth Salma Samir Samuel
    Sana Santiago Sara Selim Simon Sofia Sonia Stella Sunil Tala Tamar Tariq Teresa Theo Thomas Tomas Uma Valeria Vera
    Victor Viet Walid Wanda Wei Willa Xavier Yara Yasmin Yosef Yuki Yusuf Zahra Zain Zoe Zora
    """
)

FAMILY = _words(
    """
    Abbas Abe Abrams Acosta Adeyemi Aguilar Ahmad Akhtar Alvarez Amadi Anders Anderson Aoki Arias Asante Aydin Bailey
    Baker Bauer Begum Bell Benitez Berg Bianchi Boateng Bondar Brooks Brown Bui Cabrera Campbell Cardoso Carter
    Castillo Chan Chang Chaudhry Chavez Chen Cho Cohen Cole Contreras Costa Cruz Dang Das Davis Delgado Demir Desai
    Diallo Diaz Dinh Dixon Dlamini Duarte Duran Eze Fall Farah Fernandez Fischer Flores Fofanah Fontaine Foster Franco
    Friedman Fujita Gao Garcia Ghosh Gibson Gomez Gonzalez Gordon Green Guerrero Gupta Gutierrez Haddad Hall Han
    Hansen Haque Harris Hassan Hayes Hernandez Herrera Hill Ho Hoang Horvat Howard Huang Hussain Ibarra Ito Ivanov
    Jackson Jansen Jimenez Johnson Jones Joshi Juarez Kaplan Kaur Keita Khan Kim King Klein Kovacs Kumar Kwon Lam
    Larsen Lau Lee Levy Lewis Li Lim Lin Lindqvist Liu Lopez Lund Luong Ma Mahmoud Malik Marin Martin Martinez Mehta
    Mejia Mendez Mensah Meyer Miller Mitchell Molina Moore Morales Moreno Morris Mueller Murphy Mwangi Nakamura
    Navarro Ndiaye Nelson Nguyen Nielsen Novak Nowak Obi Okafor Olsen Ortiz Osei Owens Ozturk Pak Park Patel Pena
    Pereira Perez Petrov Pham Phan Popov Powell Qureshi Rahman Ramirez Ramos Rao Reed Reyes Rivera Robinson Rodriguez
    Rojas Romero Rosen Rossi Roy Ruiz Saito Salazar Sanchez Santos Sato Schmidt Scott Sharma Shin Silva Singh Sokolov
    Soto Stein Suarez Sullivan Suzuki Takahashi Tan Tanaka Taylor Thomas Torres Tran Traore Tsai Turner Uddin Ueda
    Vargas Vasquez Vega Walker Wang Ward Watanabe Weber White Williams Wilson Wong Wright Wu Yamada Yang Yilmaz Young
    Yusuf Zamora Zhang Zhao Zhou Zimmer
    """
)

_PLACES = ("", "North ", "South ", "East ", "West ", "Upper ", "Lower ")
_TREES = _words(
    """
    Alder Ash Aspen Beech Birch Buckeye Catalpa Cedar Cherry Chestnut Cypress Dogwood Elder Elm Hawthorn Hazel Hemlock
    Hickory Holly Juniper Larch Laurel Linden Locust Magnolia Maple Mulberry Oak Olive Pecan Pine Poplar Redbud Rowan
    Spruce Sumac Sycamore Tamarack Walnut Willow
    """
)
_LANDS = _words(
    """
    Creek Hill Bend Ridge Meadow Grove Harbor Point Valley Crossing Bluff Landing Prairie Heights Springs Hollow
    Terrace Bridge Field Shore Park Court Mill Ford Gate Lake Glen Row Square Run
    """
)


def place(number: int) -> str:
    """The name of the place where school `number` (from 0) stands; different for the first 8,400."""
    round_, within = divmod(number, len(_TREES))
    lands, land = divmod(round_, len(_LANDS))
    return f"{_PLACES[lands % len(_PLACES)]}{_TREES[within]} {_LANDS[(land + within) % len(_LANDS)]}"
